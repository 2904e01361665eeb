/** What pipelines look like: promoted, running, failed, scheduled, compared; the flights example and a small one. */
import { join } from 'node:path';
import { expect, test, type Pipelines } from '../tests/pipelines';
import { FOLDER, IMAGES, picture, theme } from './picture';

const FLIGHTS = 'flights/delays.pipeline.yaml';
const REAL = { timeout: 300_000 };

/** A small one with a past of many days, on some of which it failed. */
const REPORT = `\
name: report
parameters:
  rows: 3
steps:
  fetch:
    notebook: fetch.ipynb
    parameters: {day: "\${scheduled_time}", rows: "\${rows}"}
    outputs: [rows]
  write:
    notebook: write.ipynb
    parameters: {day: "\${scheduled_time}", rows: "\${fetch.rows}"}
    outputs: [said]
  tell:
    notebook: tell.ipynb
    after: [write]
    run_if: failed
`;

function writeReport(pipelines: Pipelines): void {
  pipelines.notebook(
    'fetch.ipynb',
    'day = "2026-01-01"\nrows = 3',
    'import time\ntime.sleep(int(day[8:10]) % 5 / 4)'
  );
  pipelines.notebook(
    'write.ipynb',
    'day = "2026-01-01"\nrows = 3',
    'if int(day[8:10]) % 9 == 0:\n    raise FileNotFoundError(f"There is no export of {day[:10]} in /data/exports yet")',
    'said = f"{rows} rows"'
  );
  pipelines.notebook('tell.ipynb', 'to = "ada@example.org"', 'to');
  pipelines.file('report.pipeline.yaml', REPORT);
}

/** Some runs more, of which one fails and the last takes what is there already. */
async function past(pipelines: Pipelines): Promise<void> {
  const { lab } = pipelines;
  const [pipeline] = (
    await lab.api<{ pipelines: { id: string; name: string }[] }>(
      'mlops/changes?since=0'
    )
  ).pipelines.filter(({ name }) => name === 'delays');
  for (const late_after of [20, 30, 'never', 45, 60, 15]) {
    await lab.api(`mlops/pipelines/${pipeline?.id}/runs`, 'POST', {
      parameters: { late_after }
    });
  }
  await expect(pipelines.pastRun(7, 'Succeeded')).toBeVisible(REAL);
}

test('the flights', async ({ lab, page, pipelines }) => {
  const { dialog } = pipelines;
  await page.goto('?reset');
  await lab.command('docmanager:open', { path: FLIGHTS });
  await lab.showPanel();
  await expect(pipelines.step('gate')).toBeVisible();
  await expect(page.getByText('No problems')).toBeVisible();
  await picture(lab, 'file');
  const editor = page
    .locator('.jp-MlopsPipelineFile')
    .getByRole('textbox')
    .first();
  if (FOLDER) {
    await editor.click();
    await page.keyboard.press('Control+Home');
    await page.keyboard.type('dedline: 1\n');
    await expect(page.getByText('1 problem')).toBeVisible();
    await picture(lab, 'file-wrong');
    await page.keyboard.type('steps: [');
    await expect(page.getByText('As it was when')).toBeVisible();
    await picture(lab, 'file-unreadable');
    await page.keyboard.press('Control+Home');
    await page.keyboard.press('Shift+ArrowDown');
    for (const _ of 'dsteps: [') {
      await page.keyboard.press('Delete');
    }
    await expect(page.getByText('No problems')).toBeVisible();
    await page.getByRole('button', { name: 'Add Step…' }).click();
    await dialog.getByLabel('Notebook').fill('flights/train.ipynb');
    await expect(dialog.getByLabel('max_depth')).toBeVisible();
    await picture(lab, 'add-step');
    await dialog
      .getByLabel('Runs as')
      .selectOption('a sweep that hands on its best run');
    await picture(lab, 'add-step-sweep');
    await dialog.getByRole('button', { name: 'Cancel' }).click();
  }

  await page.getByRole('button', { name: 'Promote…' }).click();
  await dialog.getByLabel('When').selectOption('when new files appear');
  await dialog.getByLabel('Files').fill('data/incoming/*.csv');
  await picture(lab, 'promote-file');
  await dialog.getByRole('button', { name: 'Promote', exact: true }).click();
  await expect(pipelines.page).toBeVisible();
  await picture(lab, 'never-run');
  await pipelines.page.getByRole('button', { name: 'Run Now' }).first().click();
  await expect(pipelines.step('prepare')).toHaveAccessibleName(/Running/, REAL);
  await picture(lab, 'running');
  await expect(pipelines.step('train')).toHaveAccessibleName(/Running/, REAL);
  await pipelines.step('train').click();
  await picture(lab, 'running-sweep');
  await expect(pipelines.pastRun(1, 'Succeeded')).toBeVisible(REAL);
  await picture(lab, 'succeeded');
  await past(pipelines);
  await pipelines.step('collect').click();
  await page.locator('.jp-Notification-Toast-Close').click();
  await page.mouse.move(0, 0);
  for (const name of ['dark', 'light'] as const) {
    await theme(lab, name);
    await page.waitForTimeout(400);
    await page.screenshot({
      path: join(
        IMAGES,
        name === 'light' ? 'pipeline.png' : 'pipeline-dark.png'
      )
    });
  }
  await picture(lab, 'reused');
  if (!FOLDER) {
    return;
  }
  await pipelines.page.getByRole('button', { name: 'Over time' }).click();
  await picture(lab, 'over-time');
  await pipelines.tab('Details');
  await picture(lab, 'details');
  await pipelines.tab('Schedule');
  await picture(lab, 'triggers-files');
});

test('a report', async ({ lab, pipelines }) => {
  test.skip(!FOLDER, 'none of it is in the documentation');
  const { dialog } = pipelines;
  lab.write('nightly.ipynb', 'quick');
  const sweep = await lab.start('nightly.ipynb', { x: '1:6' });
  await lab.load();
  await picture(lab, 'no-pipeline');
  await lab.reaches(sweep.id, 'succeeded');
  await lab.openSweep('nightly');
  await lab.row(6).click();
  await picture(lab, 'promote-from');
  await lab
    .row(6)
    .getByRole('button', { name: 'Promote run 6 to a pipeline' })
    .click();
  await expect(dialog.getByText('At 06:00')).toBeVisible();
  await picture(lab, 'promote');
  await dialog.getByRole('button', { name: 'More' }).click();
  await dialog.getByLabel('Alerts to').fill('mailto://ada@example.org');
  await picture(lab, 'promote-more');
  await dialog.getByRole('button', { name: 'Promote', exact: true }).click();
  await expect(pipelines.page).toBeVisible();

  writeReport(pipelines);
  const { id } = await pipelines.promote('report.pipeline.yaml', {
    schedule: { cron: '30 6 * * *', zone: 'Europe/Berlin' }
  });
  await pipelines.open('report');
  await pipelines.tab('Schedule');
  await pipelines.page.getByRole('button', { name: 'Backfill…' }).click();
  await dialog.getByLabel('From').fill('2026-03-01');
  await dialog.getByLabel('To, included').fill('2026-03-27');
  await expect(dialog.getByText('27 times')).toBeVisible();
  await picture(lab, 'backfill');
  await dialog.getByRole('button', { name: 'Run Them' }).click();
  await pipelines.tab('Runs');
  await expect(pipelines.pastRun(4, 'Running')).toBeVisible(REAL);
  await picture(lab, 'queue');
  await expect(pipelines.pastRun(27, 'Failed')).toBeVisible(REAL);
  await picture(lab, 'failed');
  await pipelines.page.getByRole('button', { name: 'By day' }).click();
  await picture(lab, 'by-day');
  await pipelines.page.getByRole('button', { name: 'By day' }).click();
  await pipelines.pastRun(26, 'Succeeded').click();
  await pipelines.page.getByRole('button', { name: 'Over time' }).click();
  await picture(lab, 'earlier');

  await pipelines.page
    .getByRole('button', { name: 'Run with Other Parameters…' })
    .click();
  await picture(lab, 'run-with');
  await dialog.getByRole('button', { name: 'Cancel' }).click();

  pipelines.notebook(
    'write.ipynb',
    'day = "2026-01-01"\nrows = 3',
    'said = f"{rows} rows of {day[:10]}"\nprint(said)'
  );
  pipelines.file(
    'report.pipeline.yaml',
    REPORT.replace('rows: 3', 'rows: 5').replace(
      'name: report',
      'name: report\ndeadline: 600'
    )
  );
  await pipelines.promote('report.pipeline.yaml', {
    pipeline_id: id,
    note: 'does without the exports'
  });
  await pipelines.tab('Versions');
  await expect(
    pipelines.page.getByRole('heading', { name: 'Version 2' })
  ).toBeVisible();
  await picture(lab, 'versions');
  await pipelines.tab('Schedule');
  await picture(lab, 'triggers');
  await pipelines.page.getByRole('button', { name: 'Change…' }).click();
  await expect(dialog.getByText('At 06:30')).toBeVisible();
  await picture(lab, 'schedule');
  await dialog.getByLabel('When').selectOption('by a cron line…');
  await dialog.getByLabel('Cron line').fill('0 30 6 * * *');
  await dialog.getByLabel('Time zone').fill('Europe/Atlantis');
  await expect(dialog.getByRole('alert')).toHaveCount(1);
  await picture(lab, 'schedule-wrong');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await pipelines.page
    .getByRole('button', { name: 'Add a Schedule or Trigger…' })
    .click();
  await dialog.getByLabel('When').selectOption('when something calls');
  await dialog.getByRole('button', { name: 'Schedule' }).click();
  await expect(dialog.getByText('Its Token')).toBeVisible();
  await picture(lab, 'token');
  await dialog.getByRole('button', { name: 'Close' }).click();
  await picture(lab, 'triggers-two');
});
