import { expect, test, type Lab } from './fixtures';

/** Cells of a column, from the top. */
function column(lab: Lab, id: string) {
  return lab.rows.locator(`[data-column="${id}"]`);
}

async function choose(lab: Lab, name: string, item: string): Promise<void> {
  await lab.listed(name).click({ button: 'right' });
  await lab.page.getByRole('menuitem', { name: item, exact: true }).click();
}

test.describe('a sweep', () => {
  test('goes to its end before one’s eyes; metric and slots are chosen meanwhile', async ({
    lab
  }) => {
    lab.write('live.ipynb', 'quick');
    const release = lab.hold();
    const { id } = await lab.start('live.ipynb', { x: '1:6' });
    await lab.load();
    await lab.openSweep('live');
    const page = lab.sweepPage;
    await expect(
      page.getByRole('grid', { name: /^Runs of live/ })
    ).toBeVisible();
    // the first goes alone, and shows which metrics there are
    const metric = page.getByRole('combobox', {
      name: 'Metric by which runs are compared'
    });
    await metric.selectOption('score');
    await expect(page.getByRole('combobox', { name: 'Direction' })).toHaveValue(
      'maximize'
    );
    await page.getByRole('spinbutton', { name: 'At once' }).fill('1');
    await expect
      .poll(
        async () =>
          (await lab.api<{ slots: number }>(`mlops/sweeps/${id}`)).slots
      )
      .toBe(1);
    await expect(lab.rows.filter({ hasText: 'Running' }).first()).toBeVisible();
    release();
    await expect(
      page.getByRole('progressbar', { name: '6 of 6 runs' })
    ).toBeVisible();
    await expect(column(lab, 'state')).toHaveText(Array(6).fill('Succeeded'));
    await expect(column(lab, 'metric:score')).toHaveText([
      '10.5',
      '20.5',
      '30.5',
      '40.5',
      '50.5',
      '60.5'
    ]);
    await expect(column(lab, 'cell')).toHaveText(Array(6).fill(/^(\d)\/\1$/));
    await expect(
      page.getByRole('button', { name: /score\s+60\.5/ })
    ).toBeVisible();
    await expect(
      lab.row(6).getByRole('img', { name: 'best run' })
    ).toBeVisible();
    await expect(lab.listed('live')).toContainText('60.5');
  });

  test('is sorted and filtered; a failed run says why and opens where it failed', async ({
    lab,
    page
  }) => {
    lab.write('broken.ipynb', 'failing');
    const { id } = await lab.start('broken.ipynb', { x: '1,0,3,2' });
    await lab.load();
    await lab.openSweep('broken');
    const sweep = lab.sweepPage;
    await lab.reaches(id, 'failed');
    await expect(sweep.getByText('2 failed', { exact: true })).toBeVisible();
    await expect(lab.listed('broken')).toContainText('2 failed');
    await expect(page.getByText('is over: 2 of 4 runs failed.')).toBeVisible();

    await expect(column(lab, 'parameter:x')).toHaveText(['1', '0', '3', '2']);
    const header = sweep.getByRole('columnheader', { name: 'x', exact: true });
    await header.getByRole('button').click();
    await expect(header).toHaveAttribute('aria-sort', 'ascending');
    await expect(column(lab, 'parameter:x')).toHaveText(['0', '1', '2', '3']);
    await header.getByRole('button').click();
    await expect(column(lab, 'parameter:x')).toHaveText(['3', '2', '1', '0']);
    await sweep
      .getByRole('columnheader', { name: 'score' })
      .getByRole('button')
      .click();
    await expect(column(lab, 'metric:score')).toHaveText(['1', '0']);
    await expect(column(lab, 'note')).toHaveText([
      '',
      '',
      /3 is too/,
      /2 is too/
    ]);

    const filter = sweep.getByRole('group', { name: 'Filter by state' });
    await filter.getByRole('button', { name: 'Failed 2' }).click();
    await expect(column(lab, 'state')).toHaveText(['Failed', 'Failed']);
    await filter.getByRole('button', { name: 'All 4' }).click();
    await expect(lab.rows).toHaveCount(4);

    await lab.row(3).click();
    const strip = sweep.getByRole('region', { name: 'Run 3' });
    await expect(strip.getByRole('alert')).toContainText('ValueError');
    await expect(strip.getByRole('alert')).toContainText('3 is too large');
    await expect(strip.getByLabel('Traceback')).toContainText(
      'raise ValueError'
    );
    await strip.getByRole('button', { name: 'Open Notebook' }).click();

    await expect(
      page.getByRole('main').getByRole('tab', { name: 'broken · run 3' })
    ).toBeVisible();
    const raised = page
      .locator('.jp-NotebookPanel:not(.lm-mod-hidden)')
      .getByText('ValueError: 3 is too large')
      .last();
    await expect(raised).toBeInViewport();
    expect(await lab.kernels()).toHaveLength(0);
  });

  test('opens a run’s notebook while it runs, loses one run and stops', async ({
    lab,
    page
  }) => {
    lab.write('slow.ipynb', 'slow');
    const { id } = await lab.start('slow.ipynb', { x: '1:6' });
    await lab.load();
    await lab.openSweep('slow');
    await expect(lab.row(2)).toContainText('Running');
    // JupyterLab remembers the layout a moment after it changed
    const remembered = page.waitForResponse(response => {
      const request = response.request();
      return (
        request.method() === 'PUT' &&
        request.url().includes('/api/workspaces/') &&
        !!request.postData()?.includes(`mlops:${id}/`)
      );
    });
    await lab
      .row(2)
      .getByRole('button', { name: 'Open the notebook of run 2' })
      .click();
    const notebook = page.locator('.jp-NotebookPanel:not(.lm-mod-hidden)');
    await expect(notebook.getByText('begun 2')).toBeVisible();
    await expect(
      notebook.getByRole('button', { name: /No Kernel/ })
    ).toBeVisible();
    expect(await lab.kernels()).toHaveLength(0);

    // the same after the page was loaded again in mid-sweep
    await remembered;
    await page.reload();
    await lab.showPanel();
    await expect(notebook.getByText('begun 2')).toBeVisible();
    await page
      .getByRole('main')
      .getByRole('tab', { name: /^slow · \d\d:\d\d/ })
      .click();
    await expect(lab.row(1)).toContainText('Succeeded');
    await expect(lab.row(2)).toContainText('Running');
    expect(await lab.kernels()).toHaveLength(0);

    await lab.row(2).getByRole('button', { name: 'Stop run 2' }).click();
    await expect(lab.row(2)).toContainText('Stopped');
    await expect(lab.row(4)).toContainText('Running');
    await expect(lab.row(4)).toContainText('4/6');
    await lab.row(2).click({ button: 'right' });
    const items = page.getByRole('menu').getByRole('menuitem');
    await expect(
      items.filter({ hasText: 'Open Executed Notebook' })
    ).toBeVisible();
    await expect(items.filter({ hasText: 'Copy Parameters' })).toBeVisible();
    await expect(items.filter({ hasText: 'Delete Sweep' })).toHaveCount(0);
    await page.keyboard.press('Escape');
    await lab.sweepPage
      .getByRole('button', { name: 'Stop', exact: true })
      .click();
    await lab.reaches(id, 'stopped');
    await expect(
      lab.rows.filter({ hasText: /Running|Waiting|Starting/ })
    ).toHaveCount(0);
    await expect(lab.listed('slow')).toContainText('stopped');
    await expect(lab.sweepPage.getByText(/stopped/i).first()).toBeVisible();
  });

  test('is renamed, archived, deleted and restored', async ({ lab, page }) => {
    lab.write('shelf.ipynb', 'quick');
    const { id } = await lab.start('shelf.ipynb', {}, { name: 'shelf' });
    await lab.load();
    await lab.reaches(id, 'succeeded');
    await choose(lab, 'shelf', 'Rename Sweep…');
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('textbox').fill('evening');
    await dialog.getByRole('button', { name: 'Rename' }).click();
    await expect(lab.listed('evening')).toBeVisible();
    await lab.openSweep('evening');
    await expect(
      page.getByRole('main').getByRole('tab', { name: 'evening' })
    ).toBeVisible();

    await choose(lab, 'evening', 'Archive Sweep');
    await expect(lab.listed('evening')).toHaveCount(0);
    await lab.panel
      .getByRole('button', { name: 'Show archived and deleted sweeps' })
      .click();
    const shelf = (name: string) =>
      lab.panel
        .getByRole('list', { name })
        .getByRole('listitem')
        .filter({ hasText: 'evening' });
    await expect(shelf('Archived')).toBeVisible();

    await choose(lab, 'evening', 'Delete Sweep');
    await expect(
      page.getByText('“evening” is deleted; it can be restored for 30 days.')
    ).toBeVisible();
    await expect(shelf('Deleted')).toContainText('deleted');
    await shelf('Deleted').getByRole('button', { name: 'Restore' }).click();
    await expect(shelf('Archived')).toBeVisible();
    await choose(lab, 'evening', 'Unarchive Sweep');
    await expect(shelf('Sweeps')).toBeVisible();
  });

  test('is in MLflow, which opens in a tab', async ({ lab, page }) => {
    lab.write('tracked.ipynb', 'quick');
    const { id } = await lab.start(
      'tracked.ipynb',
      { x: '3,4' },
      { name: 'tracked', objective: { metric: 'score', direction: 'maximize' } }
    );
    await lab.load();
    await lab.openSweep('tracked');
    await lab.reaches(id, 'succeeded');
    await lab.sweepPage
      .getByRole('button', { name: 'MLflow', exact: true })
      .click();
    const frame = page.frameLocator('iframe[title="MLflow"]');
    // its runs with their charts
    await expect(frame.getByText('2 matching runs')).toBeVisible();
    await expect(frame.getByText('score').first()).toBeVisible();
    const front = (name: string) =>
      page.getByRole('main').getByRole('tab', { name, exact: true }).click();

    await front('tracked');
    await lab
      .row(2)
      .getByRole('button', { name: 'Open run 2 in MLflow' })
      .click();
    await expect(frame.getByText('score').first()).toBeVisible();
    await expect(frame.getByText('40.5').first()).toBeVisible();

    // it ends with a service that has nothing to do, and comes again with the tab
    const { service } = await lab.api<{ service: { pid: number } }>(
      'mlops/status'
    );
    await front('tracked');
    process.kill(service.pid, 'SIGTERM');
    await expect
      .poll(() =>
        page.request
          .get(`${lab.baseURL}/mlops/mlflow/`)
          .then(answer => answer.status())
      )
      .toBe(503);
    await front('MLflow');
    await expect(page.getByText('MLflow is starting…')).toBeVisible();
    await expect(frame.getByText('40.5').first()).toBeVisible();
  });
});
