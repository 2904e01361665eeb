import { expect, test, type Lab } from './fixtures';

/** Run from the command palette by the label a person would type. */
async function fromPalette(lab: Lab, label: string): Promise<void> {
  const { page } = lab;
  await page.keyboard.press('Control+Shift+C');
  await page.locator('.lm-CommandPalette-input').fill(label);
  await page
    .locator('.lm-CommandPalette-item')
    .filter({ hasText: label })
    .first()
    .click();
}

test.describe('a sweep is started', () => {
  test('from the panel, with edits that were not saved', async ({
    lab,
    page
  }) => {
    await lab.open('edited.ipynb', 'quick');
    await lab.fill({ x: '1,2,3' }, 3);
    await lab.form.getByLabel('Metric').fill('score');
    const cell = page.locator('.jp-Notebook .jp-CodeCell').last();
    await cell.getByRole('textbox').click();
    await page.keyboard.press('Control+End');
    await page.keyboard.type(' # edited');
    await expect(
      lab.form.getByText('Unsaved edits are saved when it starts.')
    ).toBeVisible();
    await lab.run.click();

    await expect(
      page
        .getByRole('main')
        .getByRole('tab', { name: /^edited/ })
        .nth(1)
    ).toHaveAttribute('aria-selected', 'true');
    const [sweep] = await lab.sweeps();
    expect(sweep?.total).toBe(3);
    expect(
      JSON.stringify(lab.read('edited.ipynb').cells.at(-1).source)
    ).toContain('# edited');
    const frozen = await lab.api(`mlops/sweeps/${sweep?.id}/notebook`);
    expect(JSON.stringify(frozen)).toContain('# edited');

    await expect(lab.listed('edited')).toContainText('3/3');
    await expect(lab.listed('edited')).toContainText('30.5');
    const notice = page.getByText('is done: 3 runs succeeded.');
    await expect(notice).toBeVisible();
    await expect(lab.form.getByText(/^3 runs · about \d+ s$/)).toBeVisible();
    const done = await lab.reaches(sweep!.id, 'succeeded');
    expect(done.counts).toEqual({ succeeded: 3 });
  });

  test('from the toolbar: the panel without a space, straight away with one', async ({
    lab,
    page
  }) => {
    lab.write('bar.ipynb', 'quick');
    await page.goto(`tree/${lab.folder}/bar.ipynb?reset`);
    const button = page.getByRole('main').getByRole('button', {
      name: 'Run this notebook over the parameters to try'
    });
    await expect(lab.panel).toBeHidden();
    await button.click();
    await expect(lab.form).toBeVisible();
    expect(await lab.sweeps()).toHaveLength(0);

    await lab.api('mlops/notebook/draft', 'PUT', {
      path: `${lab.folder}/bar.ipynb`,
      space: { x: '1,2' }
    });
    await button.click();
    await expect(lab.listed('bar')).toBeVisible();
    const [sweep] = await lab.sweeps();
    expect(sweep?.space).toEqual({ x: '1,2' });
    await lab.reaches(sweep!.id, 'succeeded');
  });

  test('above a hundred runs only when confirmed, once', async ({
    lab,
    page
  }) => {
    await lab.open('many.ipynb', 'quick');
    await lab.fill({ x: '1:150', seconds: '0.2' }, 150);
    await lab.run.click();
    const dialog = page.getByRole('dialog');
    await expect(dialog).toContainText('Start 150 runs?');
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await expect(lab.run).toBeEnabled();
    expect(await lab.sweeps()).toHaveLength(0);

    await lab.run.click();
    await dialog.getByRole('button', { name: 'Start 150 Runs' }).click();
    await expect(lab.listed('many')).toBeVisible();
    await expect(dialog).toBeHidden();
    await lab.panel.getByRole('button', { name: /^Stop “many/ }).click();
    const [sweep] = await lab.sweeps();
    await lab.reaches(sweep!.id, 'stopped');
    await expect(lab.listed('many')).toContainText('stopped');
  });

  test('from the palette and both context menus', async ({ lab, page }) => {
    await lab.open('menus.ipynb', 'quick');
    await lab.fill({ x: '1,2' }, 2);
    await lab.api('mlops/notebook/draft', 'PUT', {
      path: `${lab.folder}/menus.ipynb`,
      space: { x: '1,2' }
    });
    const started = (number: number) =>
      expect.poll(async () => (await lab.sweeps()).length).toBe(number);
    const front = () =>
      page
        .getByRole('main')
        .getByRole('tab', { name: 'menus.ipynb', exact: true })
        .click();

    await fromPalette(lab, 'Sweep Notebook');
    await started(1);
    await front();

    await page
      .locator('.jp-Notebook .jp-CodeCell')
      .first()
      .click({ button: 'right' });
    await page.getByRole('menuitem', { name: 'Sweep Notebook' }).click();
    await started(2);

    await page.sidebar.openTab('filebrowser');
    await page
      .getByRole('region', { name: 'File Browser Section' })
      .getByText('menus.ipynb')
      .click({ button: 'right' });
    await page.getByRole('menuitem', { name: 'Sweep Notebook' }).click();
    await started(3);
    for (const { id } of await lab.sweeps()) {
      await lab.reaches(id, 'succeeded');
    }
  });

  test('is refused beside the button where it cannot run', async ({
    lab,
    page
  }) => {
    await lab.open('gone.ipynb', 'quick');
    await lab.fill({ x: '1,2' }, 2);
    await page.route('**/mlops/sweeps?*', route =>
      route.request().method() === 'POST'
        ? route.fulfill({
            status: 503,
            json: { message: 'MLflow at http://elsewhere does not answer.' }
          })
        : route.fallback()
    );
    await lab.run.click();
    await expect(lab.form.getByRole('alert')).toHaveText(
      'MLflow at http://elsewhere does not answer.'
    );
    await expect(lab.run).toBeEnabled();
  });
});
