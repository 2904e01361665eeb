import { expect, test, type Pipelines } from './pipelines';

/** Two steps, of which the second reads a file that may be missing. */
const REPORT = `\
name: report
steps:
  prepare:
    notebook: prepare.ipynb
    outputs: [rows, token]
  write:
    notebook: write.ipynb
    parameters: {rows: "\${prepare.rows}"}
    outputs: [said]
`;

function writeReport(pipelines: Pipelines): void {
  pipelines.notebook(
    'prepare.ipynb',
    'rows = 3',
    'import uuid\ntoken = uuid.uuid4().hex'
  );
  pipelines.notebook(
    'write.ipynb',
    'rows = 0',
    'from pathlib import Path\nassert Path("names.txt").exists(), "names.txt is missing, export it first"',
    'said = f"{rows} rows for {Path(\'names.txt\').read_text()}"\nsaid'
  );
  pipelines.file('report.pipeline.yaml', REPORT);
}

test.describe('a pipeline', () => {
  test('is promoted from a finished run, and fires within the minute', async ({
    lab,
    page,
    pipelines
  }) => {
    lab.write('nightly.ipynb', 'quick');
    const { id } = await lab.start('nightly.ipynb', { x: '3,4' });
    await lab.load();
    await expect(
      lab.panel.getByText('No pipelines yet: promote a run.')
    ).toBeVisible();
    await lab.openSweep('nightly');
    await lab.reaches(id, 'succeeded');
    await lab
      .row(2)
      .getByRole('button', { name: 'Promote run 2 to a pipeline' })
      .click();

    const { dialog } = pipelines;
    await expect(dialog.getByLabel('Name')).toHaveValue('nightly');
    await expect(dialog.getByText('Run 2 of “nightly')).toBeVisible();
    await dialog.getByLabel('When').selectOption('by a cron line…');
    await dialog.getByLabel('Cron line').fill('* * * * *');
    await expect(dialog.getByText('Every minute')).toBeVisible();
    await dialog.getByRole('button', { name: 'Promote', exact: true }).click();

    await expect(pipelines.page).toContainText('version 1');
    const listed = pipelines.listed('nightly');
    await pipelines.tab('Schedule');
    await expect(
      pipelines.page.getByRole('listitem', { name: 'Every minute' })
    ).toContainText('* * * * *');
    await pipelines.tab('Runs');

    // nobody touches it
    await expect(pipelines.pastRun(1, 'Succeeded')).toBeVisible({
      // a minute, and the run
      timeout: 180_000
    });
    await pipelines.page.getByRole('button', { name: 'Pause' }).click();
    await expect(listed).toContainText('paused');
    await expect(
      listed.getByRole('img', { name: /^Run 1, succeeded/ })
    ).toBeVisible();
    await pipelines.pastRun(1, 'Succeeded').click();
    const run = pipelines.page.getByRole('region', { name: 'Run 1' });
    await expect(run).toContainText('on schedule');
    await expect(pipelines.step('nightly')).toHaveAccessibleName(/Succeeded/);

    // the step as it was executed, by keyboard
    await pipelines.graph.focus();
    await page.keyboard.press('Home');
    await expect(pipelines.step('nightly')).toHaveAttribute(
      'aria-selected',
      'true'
    );
    await page.keyboard.press('Enter');
    const notebook = page.locator('.jp-NotebookPanel:not(.lm-mod-hidden)');
    await expect(notebook.getByText('40.5').first()).toBeVisible();
    expect(await lab.kernels()).toHaveLength(0);
  });

  test('fails, says why, and goes on from the failed step once that is mended', async ({
    lab,
    page,
    pipelines
  }) => {
    writeReport(pipelines);
    const { id } = await pipelines.promote('report.pipeline.yaml');
    await lab.load();
    await pipelines.open('report');
    await pipelines.page
      .getByRole('button', { name: 'Run Now' })
      .first()
      .click();
    await expect(pipelines.pastRun(1, 'Failed')).toBeVisible();
    await expect(page.getByText('Run 1 of “report” failed.')).toBeVisible();
    await expect(
      pipelines.listed('report').getByRole('img', { name: /^Run 1, failed/ })
    ).toBeVisible();
    await expect(pipelines.step('prepare')).toHaveAccessibleName(/Succeeded/);
    await expect(pipelines.step('write')).toHaveAccessibleName(/Failed/);
    // what tells most is in front
    const step = pipelines.page.getByRole('region', { name: 'Step write' });
    await expect(step.getByRole('alert')).toContainText(
      'names.txt is missing, export it first'
    );
    await expect(step.getByLabel('Traceback')).toContainText('AssertionError');
    const before = await pipelines.run(id, 1);

    pipelines.file('names.txt', 'Ada');
    await pipelines.page
      .getByRole('button', { name: 'Retry from Failed Step' })
      .click();
    await expect(pipelines.pastRun(1, 'Succeeded')).toBeVisible();
    await expect(pipelines.step('write')).toHaveAccessibleName(/Succeeded/);
    await expect(pipelines.step('write')).toContainText('try 2');
    await expect(pipelines.step('prepare')).not.toContainText('try 2');
    await pipelines.step('write').click();
    await expect(step).toContainText('3 rows for Ada');
    await expect(
      step.getByRole('listitem').filter({ hasText: 'Try' })
    ).toHaveText([/^Try 1.*failed/, /^Try 2/]);
    const after = await pipelines.run(id, 1);
    expect(after.steps[0]).toEqual(before.steps[0]);
    expect(after.steps.map(({ sweeps }) => sweeps.length)).toEqual([1, 2]);
  });

  test('has versions, which are compared and rolled back', async ({
    lab,
    page,
    pipelines
  }) => {
    pipelines.notebook('scores.ipynb', 'x = 2', 'score = x * 10');
    const { id } = await pipelines.promote('scores.ipynb', {
      outputs: ['score']
    });
    pipelines.notebook('scores.ipynb', 'x = 2', 'score = x * 11');
    await page.goto(`tree/${lab.folder}/scores.ipynb?reset`);
    await lab.showPanel();
    await expect(pipelines.listed('scores')).toBeVisible();
    // by keyboard from beginning to end
    await expect(page.getByText('Python 3 (ipykernel) | Idle')).toBeVisible();
    await expect(async () => {
      // a notebook that has just been loaded takes the focus, and the palette goes
      await lab.command('apputils:activate-command-palette');
      await page
        .locator('.lm-CommandPalette-input')
        .fill('Promote to Pipeline', { timeout: 1000 });
      await expect(
        page.locator('.lm-CommandPalette-item.lm-mod-active')
      ).toContainText('Promote to Pipeline', { timeout: 1000 });
    }).toPass();
    await page.keyboard.press('Enter');
    const { dialog } = pipelines;
    const becomes = dialog.getByLabel('Becomes');
    await expect(becomes).toBeFocused();
    await expect(becomes.locator('option:checked')).toHaveText(
      'version 2 of “scores”'
    );
    const more = dialog.getByRole('button', { name: 'More' });
    for (let times = 0; times < 4; times++) {
      if (await more.evaluate(node => node === document.activeElement)) {
        break;
      }
      await page.keyboard.press('Tab');
    }
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    await expect(dialog.getByLabel('Note')).toBeFocused();
    await page.keyboard.type('eleven');
    await page.keyboard.press('Enter');

    await expect(pipelines.page).toContainText('version 2');
    await pipelines.tab('Versions');
    const versions = pipelines.page.locator('[data-version]');
    await expect(versions).toHaveText([/Version 2.*eleven/s, /Version 1/]);
    await expect(versions.first()).toHaveAttribute('aria-current', 'true');
    const diff = pipelines.page.getByLabel('scores.ipynb');
    await expect(diff.locator('[data-change=removed]')).toContainText([
      'score = x * 10'
    ]);
    await expect(diff.locator('[data-change=added]')).toContainText([
      'score = x * 11'
    ]);

    await versions.last().getByRole('button', { name: 'Roll Back' }).click();
    await expect(versions.last()).toHaveAttribute('aria-current', 'true');
    await expect(
      page.getByText('“scores” runs version 1 from now on.')
    ).toBeVisible();
    await expect(pipelines.page).toContainText('version 1 of 2');
    await pipelines.tab('Runs');
    await pipelines.page
      .getByRole('button', { name: 'Run Now' })
      .first()
      .click();
    await expect(pipelines.pastRun(1, 'Succeeded')).toBeVisible();
    const run = pipelines.page.getByRole('region', { name: 'Run 1' });
    await expect(run).toContainText('by hand');
    await expect(run).toContainText('version 1');
    const { steps } = await pipelines.run(id, 1);
    expect(steps[0]?.outputs).toEqual({ score: 20 });
  });

  test('is a file: text beside its graph, with problems at their line', async ({
    lab,
    page,
    pipelines
  }) => {
    writeReport(pipelines);
    lab.write('extra.ipynb', 'quick');
    await page.goto(`tree/${lab.folder}?reset`);
    await page.sidebar.openTab('filebrowser');
    const files = page.getByRole('region', { name: 'File Browser Section' });
    await files.getByText('report.pipeline.yaml').dblclick();
    await expect(pipelines.step('prepare')).toBeVisible();
    await expect(pipelines.step('write')).toHaveAccessibleName(/after prepare/);
    const problems = page.getByRole('region', { name: 'Problems' });
    await expect(problems).toContainText('No problems');

    const editor = page
      .locator('.jp-MlopsPipelineFile')
      .getByRole('textbox')
      .first();
    await editor.click();
    await page.keyboard.press('Control+End');
    await page.keyboard.type('    retrys: 3');
    await expect(problems).toContainText('1 problem');
    await expect(problems.getByRole('listitem')).toContainText(/^10:5.*retrys/);
    await expect(page.locator('.cm-lintRange-error')).toHaveCount(1);
    await page.keyboard.press('Home');
    await problems.getByRole('button', { name: '10:5' }).click();
    await expect(editor).toBeFocused();
    await page.keyboard.press('Shift+End');
    await page.keyboard.type('retries: 3');
    await expect(problems).toContainText('No problems');

    // a graph is gone through by arrow keys
    await pipelines.graph.focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    await expect(pipelines.step('write')).toHaveAttribute(
      'aria-selected',
      'true'
    );

    const { dialog } = pipelines;
    await page.getByRole('button', { name: 'Add Step…' }).click();
    await dialog.getByLabel('Notebook').fill('nowhere.ipynb');
    await expect(dialog.getByRole('alert')).toContainText('nowhere.ipynb');
    await dialog.getByRole('button', { name: 'Cancel' }).click();

    // by mouse, from the file browser into the graph
    const graph = (await pipelines.graph.boundingBox())!;
    await files.getByText('extra.ipynb').hover();
    await page.mouse.down();
    await page.mouse.move(graph.x + 40, graph.y + 40, { steps: 10 });
    await page.mouse.up();
    await expect(dialog.getByLabel('Notebook')).toHaveValue(
      `${lab.folder}/extra.ipynb`
    );
    await expect(dialog.getByLabel('Name')).toHaveValue('extra');
    await expect(dialog.getByLabel('write')).toBeChecked();
    await dialog.getByLabel('x', { exact: true }).fill('7');
    await dialog.getByRole('button', { name: 'Add', exact: true }).click();
    await expect(pipelines.step('extra')).toHaveAccessibleName(/after write/);
    await expect(editor).toContainText('notebook: extra.ipynb');
    await expect(editor).toContainText('retries: 3');

    await page.getByRole('button', { name: 'Promote…' }).click();
    await dialog.getByLabel('When').selectOption('only by hand');
    await dialog.getByRole('button', { name: 'Promote', exact: true }).click();
    await expect(pipelines.page).toContainText('version 1');
    await pipelines.tab('Details');
    await expect(pipelines.graph.getByRole('option')).toHaveCount(3);
    await pipelines.tab('Runs');
    await expect(pipelines.page).toContainText('It has not run yet.');
    await lab.showPanel();
    await expect(pipelines.listed('report')).toContainText('by hand');
    await expect(pipelines.listed('report')).toContainText('no run yet');
  });

  test('begins as a file of two steps that run; a step more is offered what an earlier one hands on', async ({
    lab,
    page,
    pipelines
  }) => {
    await page.goto(`tree/${lab.folder}?reset`);
    await page.sidebar.openTab('filebrowser');
    await expect(page.getByText('New Pipeline File')).toBeVisible();
    await page.menu.clickMenuItem('File>New>Pipeline');
    await expect(pipelines.step('report')).toHaveAccessibleName(
      /after collect/
    );
    await expect(page.getByRole('region', { name: 'Problems' })).toContainText(
      'No problems'
    );

    const { dialog } = pipelines;
    await page.getByRole('button', { name: 'Add Step…' }).click();
    await dialog
      .getByLabel('Notebook')
      .fill(`${lab.folder}/pipeline-report.ipynb`);
    await expect(dialog.getByLabel('total', { exact: true })).toHaveValue(
      '${collect.total}'
    );
    await dialog.getByRole('button', { name: 'Cancel' }).click();

    const { id } = await pipelines.promote('pipeline.pipeline.yaml');
    await lab.api(`mlops/pipelines/${id}/runs`, 'POST');
    await expect
      .poll(async () => (await pipelines.run(id, 1)).run.state)
      .toBe('succeeded');
    const [{ outputs }] = (await pipelines.run(id, 1)).steps;
    expect(outputs).toMatchObject({ total: 55 });
  });

  test('is scheduled in words, paused, and run for past times', async ({
    lab,
    pipelines
  }) => {
    lab.write('daily.ipynb', 'quick');
    await pipelines.promote('daily.ipynb');
    await lab.load();
    await pipelines.open('daily');
    await pipelines.tab('Schedule');
    const add = pipelines.page.getByRole('button', {
      name: 'Add a Schedule or Trigger…'
    });
    await add.click();
    const { dialog } = pipelines;
    const times = dialog.getByRole('list', { name: 'Next times' });
    await expect(times.getByRole('listitem')).toHaveCount(5);
    await dialog.getByLabel('When').selectOption('every weekday');
    await dialog.getByLabel('At', { exact: true }).fill('07:30');
    await expect(dialog.getByText('At 07:30 on Monday through Friday')).toBeVisible();
    await dialog.getByLabel('When').selectOption('by a cron line…');
    const cron = dialog.getByLabel('Cron line');
    await expect(cron).toHaveValue('30 7 * * 1-5');
    await cron.fill('0 0 6 * * *');
    await expect(cron).toHaveAttribute('aria-invalid', 'true');
    await expect(cron).toHaveAccessibleDescription(/five/);
    await cron.fill('0 6 * * *');
    const zone = dialog.getByLabel('Time zone');
    await zone.fill('Europe/Atlantis');
    await expect(zone).toHaveAttribute('aria-invalid', 'true');
    await expect(zone).toHaveAccessibleDescription(/Europe\/Atlantis/);
    await dialog.getByRole('button', { name: 'Schedule' }).click();
    await expect(zone).toHaveAttribute('aria-invalid', 'true');
    await zone.fill('Asia/Tokyo');
    await expect(zone).toHaveAttribute('aria-invalid', 'false');
    await expect(times.getByRole('listitem').first()).toContainText('06:00');
    await expect(dialog).not.toHaveClass(/jp-mod-busy/);
    await dialog.getByRole('button', { name: 'Schedule' }).click();

    await expect(dialog).toHaveCount(0);
    const trigger = pipelines.page.locator('[data-trigger]');
    await expect(trigger).toContainText('Asia/Tokyo');
    await expect(pipelines.listed('daily')).toContainText('next');
    await trigger.getByRole('button', { name: 'Pause' }).click();
    await expect(trigger).toContainText('paused');
    await expect(pipelines.listed('daily')).toContainText('by hand');
    await trigger.getByRole('button', { name: 'Resume' }).click();
    await expect(pipelines.listed('daily')).toContainText('next');

    const backfill = pipelines.page.getByRole('button', { name: 'Backfill…' });
    await backfill.click();
    await dialog.getByLabel('From').fill('2026-03-01');
    await dialog.getByLabel('To, included').fill('2026-03-02');
    await expect(dialog.getByText('2 times')).toBeVisible();
    await dialog.getByRole('button', { name: 'Run Them' }).click();
    await expect(dialog).toHaveCount(0);
    await pipelines.tab('Runs');
    await expect(pipelines.past.getByRole('option')).toHaveCount(2);
    await expect(pipelines.pastRun(2, 'Succeeded')).toBeVisible();
    await expect(pipelines.pastRun(2, 'Succeeded')).toHaveAccessibleName(
      /as backfill/
    );
    await pipelines.tab('Schedule');
    await backfill.click();
    await dialog.getByLabel('From').fill('2026-03-01');
    await dialog.getByLabel('To, included').fill('2026-03-03');
    await expect(
      dialog.getByText('3 times, 2 of them done already')
    ).toBeVisible();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
  });
});
