import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { Widget } from '@lumino/widgets';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { IMlopsModel } from '../../model';
import { CommandIDs } from '../../model/commandIds';
import { graphOf } from '../../testing/graphs';
import { modelOf } from '../../testing/real';
import { stepRunOf, versionOf } from '../../testing/records';
import { allByRole, byRole, pick, text } from '../../testing/render';
import { FakeServer, sweepOf } from '../../testing/server';
import { PipelineView } from './pipelineView';

describe('PipelineView', () => {
  let server: FakeServer;
  let model: IMlopsModel;
  let view: PipelineView;
  let executed: [string, ReadonlyPartialJSONObject][];
  let impossible: Set<string>;

  beforeEach(() => {
    server = new FakeServer();
    model = modelOf(server);
    executed = [];
    impossible = new Set();
    const { pipelines } = server;
    pipelines.put({
      id: 'p',
      name: 'delays',
      path: 'flights/delays.pipeline.yaml',
      version: 2,
      versions: 3
    });
    pipelines.graph = graphOf(
      { collect: [], train: ['collect'], publish: ['train'] },
      { train: { sweep: true }, publish: { when: 'train.auc > 0.7' } }
    );
  });

  afterEach(() => {
    view.dispose();
    model.dispose();
  });

  async function open(id = 'p'): Promise<void> {
    const commands = new CommandRegistry();
    for (const command of Object.values(CommandIDs)) {
      commands.addCommand(command, {
        label: command,
        isEnabled: () => !impossible.has(command),
        execute: args => void executed.push([command, args])
      });
    }
    commands.addCommand('docmanager:open', {
      execute: args => void executed.push(['docmanager:open', args])
    });
    await model.refresh();
    view = new PipelineView({
      pipelineId: id,
      model,
      commands,
      trans: nullTranslator.load('')
    });
    Widget.attach(view, document.body);
    await model.refresh();
  }

  it('says that a run is gone, and does not look for it for ever', async () => {
    ran();
    await open();
    server.pipelines.runs.delete('r1');
    view.showRun('r1');
    await text('There is no such run');
  });

  it('asks for nothing while it is behind other tabs', async () => {
    ran();
    await open();
    view.hide();
    const before = server.asked.length;
    for (const message of ['one', 'two', 'three']) {
      server.pipelines.putRun({
        id: 'r2',
        pipeline_id: 'p',
        state: 'running',
        message
      });
      await model.refresh();
    }
    expect(
      server.asked.slice(before).every(({ path }) => path === 'changes')
    ).toBe(true);
    view.show();
    await vi.waitFor(() =>
      expect(model.pipelineRun('r2')?.run.state).toBe('running')
    );
  });

  /** Two runs; of the second its middle step failed. */
  function ran(): void {
    const { pipelines } = server;
    pipelines.putRun({
      id: 'r1',
      pipeline_id: 'p',
      number: 1,
      state: 'succeeded',
      started_at: '2026-11-23T06:00:00Z',
      ended_at: '2026-11-23T06:01:00Z'
    });
    for (const [step, change] of [
      [
        'collect',
        {
          state: 'succeeded',
          notebook_run: 'n1',
          sweeps: ['s1'],
          outputs: { rows: 12 },
          inputs: [
            { path: 'data/2026-11.csv', sha256: 'abcdef0123456789', size: 1200 }
          ]
        }
      ],
      [
        'train',
        {
          state: 'failed',
          attempt: 2,
          failures: 1,
          sweeps: ['s2', 's3'],
          notebook_run: 'n2',
          parameters: { depth: 6 },
          defaults: { layers: [64, 32] },
          error: {
            name: 'ValueError',
            message: 'too deep',
            cell: 1,
            traceback: 'line 1: too deep'
          }
        }
      ],
      ['publish', { state: 'skipped', message: 'train failed' }]
    ] as const) {
      const record = stepRunOf(step, 'r2', change as object);
      pipelines.steps.set(record.id, record);
    }
    server.sweeps.set(
      's2',
      sweepOf('s2', {
        pipeline_run: 'r2',
        state: 'failed',
        message: 'a worker was lost',
        started_at: '2026-11-24T06:00:00Z',
        ended_at: '2026-11-24T06:00:30Z'
      })
    );
    pipelines.putRun({
      id: 'r2',
      pipeline_id: 'p',
      number: 2,
      state: 'failed',
      cause: 'cron',
      version: 2,
      scheduled_at: '2026-11-24T06:00:00Z',
      started_at: '2026-11-24T06:00:00Z',
      ended_at: '2026-11-24T06:02:00Z',
      message: 'train: too deep',
      reason: 'step',
      drift: 'pandas 3.1.0 → 3.2.0',
      mlflow_experiment_id: '7',
      mlflow_run_id: 'm',
      parameters: { month: '2026-11' },
      log: [
        {
          at: '2026-11-24T06:00:30Z',
          text: 'It is tried again.',
          step: 'train'
        }
      ]
    });
  }

  const tab = async (name: string) => (await byRole('tab', name)).click();

  it('says what fires it next, and who does', async () => {
    server.pipelines.putTrigger({ id: 't', pipeline_id: 'p' });
    server.pipelines.put({
      id: 'p',
      next_at: new Date(Date.now() + 60_000).toISOString()
    });
    await open();
    await text('delaysversion 2 of 3next run in a minute');
    await text('The service on this machine fires it.');
    (await byRole('button', 'Install Service')).click();
    expect(executed).toEqual([[CommandIDs.installService, {}]]);
  });

  it('offers no service where none can be installed', async () => {
    server.pipelines.putTrigger({ id: 't', pipeline_id: 'p' });
    server.pipelines.keep = { ...server.pipelines.keep, possible: false };
    await open();
    await text('The service on this machine fires it.');
    await new Promise(resolve => setTimeout(resolve));
    expect(allByRole('button', 'Install Service')).toEqual([]);
  });

  it('offers to run it where it has not run yet', async () => {
    await open();
    await text('It has not run yet.');
    const [first] = allByRole('button', 'Run Now');
    first!.click();
    expect(executed).toEqual([[CommandIDs.runPipeline, { id: 'p' }]]);
  });

  it('shows the newest run, how it stands, and the step that failed', async () => {
    ran();
    await open();
    await text('Run 2Failedon schedule');
    await text('in 2 min 00 s');
    await text(
      'The environment is not the one it was promoted with. pandas 3.1.0 → 3.2.0'
    );
    await text('ValueError: too deep');
    await text('[64,32] (default)');
    // said once, by the step; said by the run where another step is looked at
    expect(document.body.textContent).not.toContain('train: too deep');
    await text('month2026-11');
    await text('It is tried again.');
    expect(
      (await byRole('option', /^train, sweep/)).getAttribute('aria-selected')
    ).toBe('true');
    (await byRole('option', /^publish/)).click();
    await text('train: too deep');
  });

  it('acts on the run', async () => {
    ran();
    await open();
    (await byRole('button', 'Retry from Failed Step')).click();
    (await byRole('button', 'Retry from This Step')).click();
    (await byRole('button', 'Run with Other Parameters…')).click();
    (await byRole('button', 'Open Sweep')).click();
    expect(executed).toEqual([
      [CommandIDs.retryPipelineRun, { id: 'r2' }],
      [CommandIDs.retryPipelineRun, { id: 'r2', step: 'train' }],
      [
        CommandIDs.runPipeline,
        { id: 'p', ask: true, parameters: { month: '2026-11' } }
      ],
      [CommandIDs.openSweep, { id: 's3' }]
    ]);
  });

  it('has no button for what cannot be done', async () => {
    impossible.add(CommandIDs.retryPipelineRun);
    ran();
    await open();
    await byRole('button', 'Run with Other Parameters…');
    expect(allByRole('button', /^Retry/)).toEqual([]);
  });

  it('offers to stop what runs, and to repeat only what is over', async () => {
    server.pipelines.putRun({ id: 'r1', pipeline_id: 'p', state: 'running' });
    await open();
    (await byRole('button', 'Stop')).click();
    expect(allByRole('button', /^Retry|^Go On/)).toEqual([]);
    server.pipelines.putRun({
      id: 'r1',
      pipeline_id: 'p',
      state: 'stopped',
      ended_at: '2026-11-24T06:01:00Z'
    });
    await model.refresh();
    (await byRole('button', 'Go On')).click();
    expect(allByRole('button', 'Stop')).toEqual([]);
    expect(executed).toEqual([
      [CommandIDs.stopPipelineRun, { id: 'r1' }],
      [CommandIDs.retryPipelineRun, { id: 'r1' }]
    ]);
  });

  it('opens the executed notebook of a step, or the one it would execute', async () => {
    ran();
    await open();
    (await byRole('button', 'Open Notebook')).click();
    const publish = await byRole('option', /^publish/);
    publish.click();
    await text('train failed');
    await vi.waitFor(() =>
      expect(publish.getAttribute('aria-selected')).toBe('true')
    );
    (await byRole('button', 'Open Notebook')).click();
    await vi.waitFor(() =>
      expect(executed).toEqual([
        [CommandIDs.openRun, { id: 'n2' }],
        ['docmanager:open', { path: 'flights/publish.ipynb' }]
      ])
    );
  });

  it('opens the notebook of a step while it is being executed', async () => {
    server.put({ id: 's1', pipeline_run: 'r1' });
    server.putRun({ id: 'n1', sweep_id: 's1', state: 'running' });
    const step = stepRunOf('collect', 'r1', {
      state: 'running',
      sweeps: ['s1']
    });
    server.pipelines.steps.set(step.id, step);
    server.pipelines.putRun({ id: 'r1', pipeline_id: 'p', state: 'running' });
    await open();
    (await byRole('button', 'Open Notebook')).click();
    await vi.waitFor(() =>
      expect(executed).toEqual([[CommandIDs.openRun, { id: 'n1' }]])
    );
  });

  it('says what a step read and handed on', async () => {
    ran();
    await open();
    (await byRole('option', /^collect/)).click();
    await text('1 file was read');
    await text('data/2026-11.csv1.2 kBabcdef0123');
    await text('rows12');
  });

  it('lists earlier tries with why they ended', async () => {
    ran();
    await open();
    await text(/Try 1.*a worker was lost/);
    (await byRole('button', 'Over time')).click();
    await vi.waitFor(() =>
      expect(
        document.querySelectorAll('[data-step=train] [data-kind=try]')
      ).toHaveLength(1)
    );
  });

  it('shows the run that is chosen, else the one that goes on, else the newest', async () => {
    ran();
    await open();
    (await byRole('option', /^Run 1/)).click();
    await text('Run 1Succeeded');
    server.pipelines.putRun({
      id: 'r3',
      pipeline_id: 'p',
      number: 3,
      state: 'running'
    });
    await model.refresh();
    (await byRole('option', /^Run 3/)).click();
    await text('Run 3Running');
    // one that only waits does not take its place, but is shown when it is over
    server.pipelines.putRun({ id: 'r4', pipeline_id: 'p', number: 4 });
    await model.refresh();
    await byRole('option', /^Run 4/);
    await text('Run 3Running');
    server.pipelines.putRun({
      id: 'r3',
      pipeline_id: 'p',
      state: 'succeeded',
      ended_at: '2026-11-24T06:01:00Z'
    });
    await model.refresh();
    await text('Run 4Waiting');
  });

  it('lists what fires it, in words and with its next times', async () => {
    server.pipelines.putTrigger({
      id: 't',
      pipeline_id: 'p',
      zone: 'Europe/Berlin'
    });
    server.pipelines.put({ id: 'q', name: 'collect' });
    server.pipelines.putTrigger({
      id: 'u',
      pipeline_id: 'p',
      kind: 'pipeline',
      upstream: 'q',
      enabled: false,
      parameters: { month: 'all' }
    });
    await open();
    await tab('Schedule');
    await text('at 0 6 * * * in Europe/Berlin');
    await text('When “collect” has succeededpaused');
    await text('with month = all');
    expect(
      document.querySelectorAll('.jp-MlopsTrigger-next > li')
    ).toHaveLength(5);
    (
      await byRole(
        'button',
        'Resume',
        document.querySelector('[data-trigger=u]')!
      )
    ).click();
    (
      await byRole(
        'button',
        'Pause',
        document.querySelector('[data-trigger=t]')!
      )
    ).click();
    (
      await byRole(
        'button',
        'Remove',
        document.querySelector('[data-trigger=t]')!
      )
    ).click();
    (
      await byRole(
        'button',
        'Change…',
        document.querySelector('[data-trigger=t]')!
      )
    ).click();
    (await byRole('button', 'Backfill…')).click();
    expect(executed).toEqual([
      [CommandIDs.resumeTrigger, { id: 'p', trigger: 'u' }],
      [CommandIDs.pauseTrigger, { id: 'p', trigger: 't' }],
      [CommandIDs.removeTrigger, { id: 'p', trigger: 't' }],
      [CommandIDs.schedulePipeline, { id: 'p', trigger: 't' }],
      [CommandIDs.backfillPipeline, { id: 'p' }]
    ]);
  });

  it('compares versions and rolls back', async () => {
    server.pipelines.versions.push(
      versionOf('p', 1, { note: 'first' }),
      versionOf('p', 2, { note: 'deeper', git_commit: '0123456789abcdef+' }),
      versionOf('p', 3, {
        warnings: ['settings.toml lies outside the project.']
      })
    );
    server.refuse = ({ path, query }) =>
      path === 'pipelines/p/diff'
        ? {
            status: 200,
            body: {
              older: Number(query.get('older')),
              newer: Number(query.get('newer')),
              parameters: [
                `train.depth: ${query.get('older')} → ${query.get('newer')}`
              ],
              environment: [],
              files: [],
              notebooks: {},
              code: {
                'features.py': '--- a\n+++ b\n@@ -1 +1 @@\n-x = 1\n+x = 2\n'
              }
            }
          }
        : undefined;
    await open();
    await tab('Versions');
    await text('0123456789 with changes that were not committed');
    await text('settings.toml lies outside the project.');
    await text('train.depth: 2 → 3');
    expect(document.querySelector('[data-change=added]')?.textContent).toBe(
      '+x = 2\n'
    );
    expect(document.querySelector('[aria-current]')?.textContent).toContain(
      'Version 2fires'
    );
    pick(await byRole('combobox', 'From version'), '1');
    await text('train.depth: 1 → 3');
    (await byRole('button', 'Roll Back')).click();
    (await byRole('button', 'Let This One Fire')).click();
    expect(executed).toEqual([
      [CommandIDs.rollbackPipeline, { id: 'p', version: 1 }],
      [CommandIDs.rollbackPipeline, { id: 'p', version: 3 }]
    ]);
  });

  it('says by which rules it runs, and what is frozen', async () => {
    server.pipelines.versions.push(
      versionOf('p', 2, {
        files: { 'train.ipynb': 'f00dfeedbeef0000', 'prices.csv': 'aa' },
        data: ['prices.csv']
      })
    );
    await open();
    await tab('Details');
    await text('a changed one is said and told');
    await text('train.ipynbf00dfeedbe');
    await text('prices.csvdata');
    await text('nobody is told');
  });

  it('says that it is deleted, with the way back', async () => {
    server.pipelines.put({ id: 'p', deleted_at: '2026-11-24T10:00:00Z' });
    await open();
    await text('This pipeline is deleted');
    const [restore] = allByRole('button', 'Restore');
    restore!.click();
    expect(executed).toEqual([[CommandIDs.restorePipeline, { id: 'p' }]]);
  });

  it('says that there is no such pipeline', async () => {
    await open('nothing');
    await text('There is no such pipeline');
  });

  it('keeps nothing watched when it is closed', async () => {
    ran();
    await open();
    await text('Run 2');
    view.dispose();
    const before = server.asked.length;
    server.pipelines.put({ id: 'p' });
    await model.refresh();
    expect(server.asked.slice(before).map(({ path }) => path)).toEqual([
      'changes'
    ]);
  });
});
