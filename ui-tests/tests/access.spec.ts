/** Every view in both themes, as axe-core judges it. */
import { readFileSync } from 'node:fs';
import { expect, type Lab } from './fixtures';
import { test } from './pipelines';

const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

/** What is ours of the page; the highlighting of code is JupyterLab's. */
const OURS = {
  panel: ['.jp-MlopsPanel'],
  page: [
    '#jp-main-dock-panel .lm-DockPanel-widget:not(.lm-mod-hidden) [class*="jp-Mlops"]',
    '#jp-main-dock-panel .lm-DockPanel-widget:not(.lm-mod-hidden)[class*="jp-Mlops"]'
  ],
  dialog: ['.jp-MlopsDialog .jp-Dialog-content']
};
const THEIRS = ['.cm-content > *', '.cm-gutters'];

/** What axe-core finds that keeps people from using a view: rule, place and reason of each. */
async function barriers(lab: Lab, view: keyof typeof OURS): Promise<string[]> {
  if (!(await lab.page.evaluate(() => 'axe' in window))) {
    await lab.page.evaluate(AXE);
    // the body of JupyterLab is clipped and without height, so that axe takes all that is in it to be out of sight
    await lab.page.addStyleTag({ content: 'body { height: 100vh; }' });
  }
  return lab.page.evaluate(
    async ([ours, theirs]) => {
      const among = (selectors: readonly string[]) =>
        selectors.filter(selector => document.querySelector(selector));
      const { axe } = window as unknown as { axe: typeof import('axe-core') };
      const { violations, passes } = await axe.run(
        { include: among(ours), exclude: among(theirs) },
        { resultTypes: ['violations', 'passes'] }
      );
      if (!passes.some(({ id }) => id === 'color-contrast')) {
        throw new Error('axe saw no text.');
      }
      return violations
        .filter(
          ({ id, impact }) =>
            impact === 'serious' ||
            impact === 'critical' ||
            id === 'heading-order'
        )
        .flatMap(({ id, nodes }) =>
          nodes.map(
            ({ target, failureSummary }) =>
              `${id} at ${target.join(' ')}: ${failureSummary}`
          )
        );
    },
    [OURS[view], THEIRS] as const
  );
}

const THEMES = ['JupyterLab Light', 'JupyterLab Dark'];

/** In both themes, of which the one that shows comes first. */
async function expectAccessible(
  lab: Lab,
  view: keyof typeof OURS
): Promise<void> {
  const body = lab.page.locator('body');
  const now = await body.getAttribute('data-jp-theme-name');
  for (const theme of now === THEMES[1] ? [...THEMES].reverse() : THEMES) {
    await lab.command('apputils:change-theme', { theme });
    await expect(body).toHaveAttribute('data-jp-theme-name', theme);
    // it covers the page while a theme is loaded
    await expect(lab.page.locator('#jupyterlab-splash')).toHaveCount(0);
    expect.soft(await barriers(lab, view), theme).toEqual([]);
  }
}

test('the panel, and a sweep from its form to its end', async ({
  lab,
  pipelines
}) => {
  const { dialog } = pipelines;
  await lab.load();
  await expect(lab.panel.getByText('No sweeps yet')).toBeVisible();
  await expectAccessible(lab, 'panel');

  lab.write('failing.ipynb', 'failing');
  const release = lab.hold();
  lab.write('quick.ipynb', 'quick');
  const { id } = await lab.start('quick.ipynb', { x: '1:4' });
  await lab.open('quick.ipynb', 'quick');
  await lab.field('x').fill('1:3');
  await lab.field('rate').fill('nonsense');
  await expect(lab.form.getByRole('alert')).toContainText('nonsense');
  await lab.form.getByRole('button', { name: 'Advanced' }).click();
  await expect(lab.listed('quick').getByRole('progressbar')).toBeVisible();
  await expectAccessible(lab, 'panel');

  await lab.openSweep('quick');
  await expect(lab.rows.filter({ hasText: 'Running' }).first()).toBeVisible();
  await lab.row(1).click();
  await expectAccessible(lab, 'page');
  release();
  await lab.reaches(id, 'succeeded');
  await lab.row(4).click();
  await lab.sweepPage
    .getByRole('button', { name: 'Promote', exact: true })
    .click();
  await expect(dialog.getByText('At 06:00')).toBeVisible();
  await dialog.getByRole('button', { name: 'More' }).click();
  await expectAccessible(lab, 'dialog');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await lab.sweepPage.getByRole('tab', { name: 'Details' }).click();
  await expectAccessible(lab, 'page');

  const failing = await lab.start('failing.ipynb', { x: '1,2' });
  await lab.reaches(failing.id, 'failed');
  await lab.openSweep('failing');
  await lab.row(2).click();
  await expect(lab.sweepPage.getByLabel('Traceback')).toBeVisible();
  await expectAccessible(lab, 'page');
  // what failed, and what computes
  await expectAccessible(lab, 'panel');
  await lab.command('mlops:show-service-log');
  await expectAccessible(lab, 'page');
});

test('a pipeline, from its file to its past runs', async ({
  lab,
  page,
  pipelines
}) => {
  const { dialog } = pipelines;
  pipelines.notebook('fetch.ipynb', 'rows = 3', 'rows * 2');
  pipelines.notebook('write.ipynb', 'rows = 3', 'assert rows < 3');
  pipelines.file(
    'report.pipeline.yaml',
    'name: report\nparameters:\n  rows: 3\nsteps:\n  fetch:\n    notebook: fetch.ipynb\n    parameters: {rows: "${rows}"}\n    outputs: [rows]\n  write:\n    notebook: write.ipynb\n    parameters: {rows: "${fetch.rows}"}\n'
  );
  await lab.load();
  await lab.command('docmanager:open', {
    path: `${lab.folder}/report.pipeline.yaml`
  });
  await expect(page.getByText('No problems')).toBeVisible();
  await expectAccessible(lab, 'page');
  await page
    .locator('.jp-MlopsPipelineFile')
    .getByRole('textbox')
    .first()
    .click();
  await page.keyboard.press('Control+Home');
  await page.keyboard.type('dedline: 1\n');
  await expect(page.getByText('1 problem')).toBeVisible();
  await expectAccessible(lab, 'page');
  await page.getByRole('button', { name: 'Add Step…' }).click();
  await expect(dialog.getByLabel('Notebook')).toBeVisible();
  await expectAccessible(lab, 'dialog');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await page.keyboard.press('Control+z');
  const { id } = await pipelines.promote('report.pipeline.yaml', {
    schedule: { cron: '30 6 * * *', zone: 'Europe/Berlin' }
  });
  await pipelines.open('report');
  await expectAccessible(lab, 'page');
  await lab.api(`mlops/pipelines/${id}/runs`, 'POST', { parameters: {} });
  await expect(pipelines.pastRun(1, 'Failed')).toBeVisible();
  await pipelines.step('write').click();
  await expectAccessible(lab, 'page');
  await pipelines.page.getByRole('button', { name: 'Over time' }).click();
  await pipelines.page.getByRole('button', { name: 'By day' }).click();
  await expectAccessible(lab, 'page');
  await pipelines.page
    .getByRole('button', { name: 'Run with Other Parameters…' })
    .click();
  await expect(dialog.getByLabel('rows')).toBeVisible();
  await expectAccessible(lab, 'dialog');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await pipelines.tab('Schedule');
  await expectAccessible(lab, 'page');
  await pipelines.page.getByRole('button', { name: 'Backfill…' }).click();
  await expectAccessible(lab, 'dialog');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await pipelines.page.getByRole('button', { name: 'Change…' }).click();
  await expect(dialog.getByText('At 06:30')).toBeVisible();
  await expectAccessible(lab, 'dialog');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  pipelines.notebook('write.ipynb', 'rows = 3', 'rows');
  await pipelines.promote('report.pipeline.yaml', { pipeline_id: id });
  await pipelines.tab('Versions');
  await expect(
    pipelines.page.getByRole('heading', { name: 'Version 2' })
  ).toBeVisible();
  await expectAccessible(lab, 'page');
  await pipelines.tab('Details');
  await expectAccessible(lab, 'page');
});
