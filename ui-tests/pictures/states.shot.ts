/** What the panel and a sweep look like, from nothing to a finished sweep of the example. */
import { join } from 'node:path';
import { expect, test, type Lab } from '../tests/fixtures';
import { FOLDER, IMAGES, picture } from './picture';

/** The first cells are asked for, shown and thought better of. */
async function sharing(lab: Lab): Promise<void> {
  const box = lab.form.getByRole('checkbox');
  await box.check();
  await picture(lab, 'sharing');
  await lab.run.click();
  await expect(lab.page.getByRole('dialog')).toBeVisible();
  await picture(lab, 'sharing-asked');
  await lab.page
    .getByRole('dialog')
    .getByRole('button', { name: 'Cancel' })
    .click();
  await box.uncheck();
}

test('pictures', async ({ lab, page }) => {
  await lab.load();
  await expect(lab.panel.getByText('No sweeps yet.')).toBeVisible();
  await expect(lab.panel.getByText('slots')).toBeVisible();
  await picture(lab, 'empty');

  await page.goto('tree/train.ipynb?reset');
  await lab.showPanel();
  // the example carries a sweep of its own
  await expect(lab.run).toHaveText('Run 30');
  await picture(lab, 'form');
  const range = await lab.field('learning_rate').inputValue();
  await lab.field('learning_rate').fill('none');
  await expect(lab.form.getByRole('alert')).toBeVisible();
  await picture(lab, 'nonsense');
  await lab.fill({ learning_rate: range }, 30);
  if (FOLDER) {
    await sharing(lab);
  }
  await lab.run.click();
  await expect(lab.sweepPage).toBeVisible();
  await picture(lab, 'starting');
  await expect(lab.rows.filter({ hasText: 'Succeeded' })).toHaveCount(4, {
    timeout: 180_000
  });
  await picture(lab, 'busy');

  const { sweeps } = await lab.api<{ sweeps: { id: string }[] }>(
    'mlops/sweeps'
  );
  await expect
    .poll(
      async () =>
        (await lab.api<{ state: string }>(`mlops/sweeps/${sweeps[0]!.id}`))
          .state,
      {
        timeout: 400_000
      }
    )
    .toBe('succeeded');
  await expect(lab.rows.filter({ hasText: 'Succeeded' })).toHaveCount(30);
  await lab.sweepPage
    .getByRole('columnheader', { name: 'auc' })
    .getByRole('button')
    .click();
  await lab.rows.first().click();
  await page.mouse.move(0, 0);
  // as it is without the notice, which goes by itself
  await expect(page.getByText('is done: 30 runs succeeded.')).toHaveCount(0, {
    timeout: 20_000
  });
  await page.waitForTimeout(500);
  await page.screenshot({ path: join(IMAGES, 'sweep.png') });
  await picture(lab, 'finished');
  if (!FOLDER) {
    return;
  }

  lab.write('failing.ipynb', 'failing');
  await lab.command('docmanager:open', { path: `${lab.folder}/failing.ipynb` });
  await lab.fill({ x: '1,0,3,2' }, 4);
  await lab.run.click();
  await expect(lab.listed('failing')).toContainText('2 failed', {
    timeout: 60_000
  });
  await lab.row(3).click();
  await picture(lab, 'failed');
  await lab.sweepPage.getByRole('button', { name: 'Open Notebook' }).click();
  await expect(
    page.getByText('ValueError: 3 is too large').last()
  ).toBeInViewport();
  await picture(lab, 'failed-notebook');

  lab.write('bare.ipynb', 'untagged');
  await lab.command('docmanager:open', { path: `${lab.folder}/bare.ipynb` });
  await expect(
    lab.panel.getByText('No cell holds the parameters yet.')
  ).toBeVisible();
  await picture(lab, 'untagged');
});
