import { expect, test } from './fixtures';

test.describe('the form of the notebook in front', () => {
  test('shows what the notebook declares and counts runs while one types', async ({
    lab
  }) => {
    await lab.open('form.ipynb', 'quick');
    const { form } = lab;
    await expect(form).toBeVisible();
    await expect(lab.field('x')).toHaveAttribute('placeholder', '2');
    await expect(lab.field('x')).toHaveAccessibleDescription(
      'what is multiplied'
    );
    await expect(
      form.getByText('float', { exact: true }).first()
    ).toBeVisible();
    await expect(
      form.getByRole('group', { name: 'kind' }).getByRole('button')
    ).toHaveText(['plain', 'square']);
    await expect(lab.run).toHaveText('Run 1');

    await lab.field('x').pressSequentially('1,2,3');
    await expect(lab.run).toHaveText('Run 3');
    await lab.field('rate').fill('0:1:4');
    await expect(form.getByText('12 runs')).toBeVisible();
    await form.getByRole('button', { name: 'square' }).click();
    await form.getByRole('button', { name: 'plain' }).click();
    await expect(lab.run).toHaveText('Run 24');
    await expect(form.getByText('24 runs')).toBeVisible();

    await lab.field('rate').fill('0:1');
    await expect(lab.field('rate')).toHaveAttribute('aria-invalid', 'true');
    await expect(lab.field('rate')).toHaveAccessibleDescription(/step|many/);
    await expect(lab.run).toBeDisabled();
    await expect(lab.run).toHaveAccessibleDescription('Mend “rate” first.');
    await lab.field('rate').fill('nonsense');
    await expect(form.getByRole('alert')).toContainText('nonsense');

    await lab.field('rate').fill('0:1:1000000');
    await expect(lab.run).toBeDisabled();
    await expect(form.getByText('This makes 6,000,000 runs')).toBeVisible();
  });

  test('offers what to try from a menu, by keyboard', async ({ lab, page }) => {
    await lab.open('menu.ipynb', 'quick');
    await expect(lab.run).toBeEnabled();
    await lab.form
      .getByRole('button', { name: 'What to try for “x”' })
      .press('Enter');
    await page.getByRole('menu').getByText('Range', { exact: true }).waitFor();
    for (let times = 0; times < 4; times++) {
      await page.keyboard.press('ArrowDown');
    }
    await page.keyboard.press('Enter');
    await expect(lab.field('x')).toHaveValue('1:3');
    await expect(lab.field('x')).toBeFocused();
    await expect(lab.run).toHaveText('Run 3');
  });

  test('is remembered, and goes with the notebook when asked', async ({
    lab,
    page
  }) => {
    await lab.open('kept.ipynb', 'quick');
    await lab.fill({ x: '1:4', rate: '.1,.2' }, 8);
    await lab.form.getByLabel('Metric').fill('score');
    await expect
      .poll(async () => {
        const info = await lab.api<{ draft: { objective: unknown } | null }>(
          `mlops/notebook?path=${lab.folder}/kept.ipynb`
        );
        return info.draft?.objective;
      })
      .toEqual({ metric: 'score', direction: 'maximize' });
    await page.reload();
    await lab.showPanel();
    await expect(lab.field('x')).toHaveValue('1:4');
    await expect(lab.run).toHaveText('Run 8');
    expect(lab.read('kept.ipynb').metadata.mlops).toBeUndefined();

    await lab.form.getByRole('button', { name: 'Save with notebook' }).click();
    await expect(lab.form.getByText('✓ Saved with the notebook')).toBeVisible();
    expect(lab.read('kept.ipynb').metadata.mlops).toEqual({
      space: { x: '1:4', rate: '.1,.2' },
      objective: { metric: 'score', direction: 'maximize' }
    });
    await lab.field('x').fill('1:5');
    await expect(
      lab.form.getByRole('button', { name: 'Save with notebook' })
    ).toBeVisible();
    await lab.form.getByRole('button', { name: 'Remove from it' }).click();
    await expect(
      lab.form.getByRole('button', { name: 'Remove from it' })
    ).toHaveCount(0);
    expect(lab.read('kept.ipynb').metadata.mlops).toBeUndefined();
  });

  test('tags a cell that assigns, moves the tag, and selects the likely cell where the one in front assigns nothing', async ({
    lab,
    page
  }) => {
    const cells = page.locator('.jp-Notebook .jp-CodeCell');
    const tags = () =>
      lab.read('bare.ipynb').cells.map(cell => cell.metadata.tags ?? []);
    await lab.open('bare.ipynb', 'untagged');
    await expect(
      lab.panel.getByText('No cell holds the parameters yet.')
    ).toBeVisible();
    await cells.nth(2).click();
    await lab.panel.getByRole('button', { name: 'Tag this cell' }).click();
    await expect(
      page.getByText('Cell 1 does and is selected now')
    ).toBeVisible();
    await expect(cells.first()).toHaveClass(/jp-mod-active/);
    expect(tags()).toEqual([[], [], []]);
    await lab.panel.getByRole('button', { name: 'Tag this cell' }).click();
    await expect(lab.field('depth')).toHaveAttribute('placeholder', '3');
    await expect(lab.field('depth')).toHaveAccessibleDescription('how deep');
    expect(tags()).toEqual([['parameters'], [], []]);
    await cells.nth(1).click();
    await lab.command('mlops:tag-parameters');
    await expect(lab.field('score')).toBeVisible();
    expect(tags()).toEqual([[], ['parameters'], []]);
  });

  test('follows the notebook in front, and what is saved', async ({
    lab,
    page
  }) => {
    lab.write('other.ipynb', 'untagged');
    await lab.open('first.ipynb', 'quick');
    await lab.fill({ x: '1,2' }, 2);
    await lab.command('docmanager:open', { path: `${lab.folder}/other.ipynb` });
    await expect(
      lab.panel.getByText('No cell holds the parameters yet.')
    ).toBeVisible();
    await page
      .getByRole('main')
      .getByRole('tab', { name: 'first.ipynb' })
      .click();
    await expect(lab.field('x')).toHaveValue('1,2');
    await lab.command('docmanager:save');
    await lab.command('application:close-all');
    // a kernel that answers late has changed what was just saved
    const save = page.getByRole('dialog').getByRole('button', { name: 'Save' });
    await expect(async () => {
      if (await save.isVisible()) {
        await save.click();
      }
      await expect(
        lab.panel.getByText('Open a notebook to sweep it.')
      ).toBeVisible({ timeout: 1000 });
    }).toPass();
  });
});
