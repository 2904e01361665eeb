import { expect, test } from './fixtures';

test.describe('a sweep shares its first cells', () => {
  test('once they were shown, and its runs say that and where their time went', async ({
    lab,
    page
  }) => {
    await lab.open('shared.ipynb', 'shared');
    const box = lab.form.getByRole('checkbox');
    const cells = (within = lab.form) =>
      within
        .getByRole('list', { name: 'Code cells that run once per slot' })
        .getByRole('listitem');
    const lines = [
      'import random',
      'depth = 2  # how many are looked at',
      '# loaded: who loads it twice draws another number'
    ];
    // one run has nothing to share
    await expect(lab.run).toHaveText('Run 1');
    await expect(box).toHaveCount(0);
    await lab.fill({ depth: '1,2,3,4', scale: '2' }, 4);
    await expect(box).toHaveAccessibleName(
      'Run the first 3 code cells once per slot'
    );
    await box.press('Space');
    await expect(box).toBeChecked();
    await expect(cells()).toHaveText(lines);
    await expect(
      lab.form.getByText(/^Code cell 4 .* uses depth, which this sweep varies/)
    ).toBeInViewport();

    // nothing is started unasked
    const dialog = page.getByRole('dialog');
    await lab.run.click();
    await expect(cells(dialog)).toHaveText(lines);
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await expect(lab.run).toHaveText('Run 4');
    expect(await lab.sweeps()).toHaveLength(0);
    await lab.run.click();
    await dialog.getByRole('button', { name: 'Start 4 Runs' }).click();

    await expect(lab.sweepPage).toBeVisible();
    const [sweep] = await lab.sweeps();
    expect(sweep).toMatchObject({ total: 4, prefix: 4, shared_cells: 3 });
    await lab.reaches(sweep!.id, 'succeeded');
    await expect(lab.rows.filter({ hasText: 'Succeeded' })).toHaveCount(4);
    await expect(
      lab.sweepPage.getByText('The first 3 code cells ran once per slot.')
    ).toBeVisible();
    await lab.row(4).click();
    const strip = lab.sweepPage.getByRole('region', { name: 'Run 4' });
    await expect(strip.getByText('shared cells')).toBeVisible();
    await expect(
      strip.getByRole('list', { name: 'Time spent' }).getByRole('listitem')
    ).toHaveText([/^queue \d/, /^start \d/, /^cells \d/, /^finish \d/]);
    await expect(strip.getByText('score')).toBeVisible();
    await expect(strip.getByText('12', { exact: true })).toBeVisible();

    // what was agreed to is not asked again
    await page
      .getByRole('main')
      .getByRole('tab', { name: 'shared.ipynb' })
      .click();
    await lab.run.click();
    await expect.poll(async () => (await lab.sweeps()).length).toBe(2);
    await expect(dialog).toHaveCount(0);
  });

  test('unless there are none, which it says', async ({ lab }) => {
    await lab.open('none.ipynb', 'shared');
    await lab.fill({ depth: '1,2' }, 2);
    const box = lab.form.getByRole('checkbox');
    await box.check();
    await lab.fill({ depth: '1' }, 1);
    await expect(box).toBeDisabled();
    await expect(box).not.toBeChecked();
    await expect(box).toHaveAccessibleDescription(
      'One run alone shares nothing.'
    );
    await lab.run.click();
    await expect(lab.sweepPage).toBeVisible();
    const [sweep] = await lab.sweeps();
    expect(sweep).toMatchObject({ total: 1, prefix: 0 });
  });
});
