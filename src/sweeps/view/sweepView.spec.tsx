import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { Widget } from '@lumino/widgets';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { IMlopsModel } from '../../model';
import { CommandIDs, RUN_CLASS, SWEEP_CLASS } from '../../model/commandIds';
import { modelOf } from '../../testing/real';
import { allByRole, byRole, pick, press, text } from '../../testing/render';
import { FakeServer } from '../../testing/server';
import { SweepView } from './sweepView';

describe('SweepView', () => {
  let server: FakeServer;
  let model: IMlopsModel;
  let view: Widget;
  let executed: [string, unknown][];

  beforeEach(() => {
    // jsdom lays nothing out, and the table draws the rows that are in sight
    vi.spyOn(Element.prototype, 'clientHeight', 'get').mockReturnValue(600);
    vi.spyOn(Element.prototype, 'clientWidth', 'get').mockReturnValue(900);
    server = new FakeServer();
    model = modelOf(server);
    executed = [];
    server.put({
      id: 's',
      name: 'train',
      path: 'train.ipynb',
      state: 'running',
      confirmed: true,
      varied: ['depth'],
      objective: null,
      total: 3,
      planned: 3
    });
    for (const [index, auc] of [0.6, 0.9].entries()) {
      server.putRun({
        id: `s-${index}`,
        sweep_id: 's',
        index,
        state: 'succeeded',
        started_at: '2026-01-01T00:00:00Z',
        ended_at: '2026-01-01T00:00:05Z',
        parameters: { depth: index + 3, fixed: 'x' },
        metrics: { auc }
      });
    }
    server.putRun({
      id: 's-2',
      sweep_id: 's',
      index: 2,
      state: 'failed',
      started_at: '2026-01-01T00:00:00Z',
      parameters: { depth: 5, fixed: 'x' },
      error: {
        name: 'ValueError',
        message: 'Cell 2 of 3 raised ValueError: too deep',
        cell: 1,
        traceback: 'line 1: too deep'
      }
    });
  });

  afterEach(() => {
    view.dispose();
    model.dispose();
    vi.restoreAllMocks();
  });

  async function open(id = 's'): Promise<void> {
    const commands = new CommandRegistry();
    for (const command of [
      CommandIDs.openRun,
      CommandIDs.stopSweep,
      CommandIDs.resumeSweep
    ]) {
      commands.addCommand(command, {
        label: command,
        execute: args => void executed.push([command, args])
      });
    }
    await model.refresh();
    view = new SweepView({
      sweepId: id,
      model,
      commands,
      trans: nullTranslator.load('')
    });
    Widget.attach(view, document.body);
    await model.refresh();
  }

  const rows = () =>
    [...document.querySelectorAll<HTMLElement>('[data-run-id][role=row]')].map(
      row => row.dataset['runId']
    );
  const row = (id: string) =>
    vi.waitFor(() => {
      const found = document.querySelector<HTMLElement>(
        `[role=row][data-run-id="${id}"]`
      );
      expect(found).not.toBeNull();
      return found!;
    });

  it('says that there is no such sweep, and why one cannot be fetched', async () => {
    view = new SweepView({
      sweepId: 'away',
      model,
      commands: new CommandRegistry(),
      trans: nullTranslator.load('')
    });
    server.refuse = ({ path }) =>
      path === 'sweeps/away'
        ? { status: 500, body: { message: 'The store is locked.' } }
        : undefined;
    Widget.attach(view, document.body);
    await text('The store is locked.');
    server.refuse = () => undefined;
    await model.refresh();
    await text('There is no such sweep');
  });

  it('has a row for each run, with what differs and what came out', async () => {
    await open();
    const cells = [...(await row('s-1')).querySelectorAll('[role=gridcell]')];
    expect(cells.map(cell => cell.textContent)).toEqual(
      expect.arrayContaining(['2', 'Succeeded', '4', '0.9', '5.0 s'])
    );
    expect(
      allByRole('columnheader').map(head => head.dataset['column'])
    ).not.toContain('parameter:fixed');
  });

  it('writes values as the notebook’s language does', async () => {
    server.put({ id: 's', varied: ['early', 'layers'], language: 'python' });
    server.putRun({
      id: 's-0',
      sweep_id: 's',
      parameters: { early: true, layers: [64, null] }
    });
    await open();
    const value = async (name: string) =>
      (await row('s-0')).querySelector(`[data-column="parameter:${name}"]`)
        ?.textContent;
    expect(await value('early')).toBe('True');
    expect(await value('layers')).toBe('[64, None]');
    server.put({ id: 's', language: 'r' });
    await model.refresh();
    await vi.waitFor(async () => expect(await value('early')).toBe('true'));
  });

  it('counts and lists what finished; what never started is one line', async () => {
    server.put({
      id: 's',
      state: 'stopped',
      total: 24,
      planned: 24,
      counts: { succeeded: 2, failed: 1, stopped: 21 }
    });
    for (let index = 3; index < 24; index++) {
      server.putRun({
        id: `s-${index}`,
        sweep_id: 's',
        index,
        state: 'stopped'
      });
    }
    await open();
    await text(/3\/24.*1 failed.*21 stopped/);
    await row('s-2');
    expect(rows()).toEqual(['s-0', 's-1', 's-2']);
    await text('21 runs were stopped before they started.');
    (await byRole('button', 'Show them')).click();
    await row('s-23');
  });

  it('has the sweep’s menu on its head alone, and a run’s menu on each run', async () => {
    await open();
    const cell = (await row('s-1')).querySelector('[role=gridcell]');
    expect(cell?.closest(`.${RUN_CLASS}`)).toBe(await row('s-1'));
    expect(cell?.closest(`.${SWEEP_CLASS}`)).toBeNull();
    expect(document.querySelector(`.${SWEEP_CLASS}`)?.textContent).toContain(
      'train.ipynb'
    );
    expect(document.querySelector(`.${SWEEP_CLASS} [role=grid]`)).toBeNull();
  });

  it('says in the row why a run failed', async () => {
    await open();
    expect((await row('s-2')).textContent).toContain('too deep');
  });

  it('sorts by a metric, best first, without a value last', async () => {
    await open();
    await row('s-0');
    const button = document.querySelector<HTMLElement>(
      '[data-column="metric:auc"] button'
    );
    button?.click();
    await vi.waitFor(() => expect(rows()).toEqual(['s-1', 's-0', 's-2']));
    expect(button?.parentElement?.getAttribute('aria-sort')).toBe('descending');
  });

  it('lists the runs of one state', async () => {
    await open();
    (await byRole('button', /^Failed/)).click();
    await vi.waitFor(() => expect(rows()).toEqual(['s-2']));
  });

  it('goes from row to row by arrows, and Enter opens the notebook', async () => {
    await open();
    await row('s-0');
    const [grid] = allByRole('grid');
    press(grid!, 'ArrowDown');
    await vi.waitFor(async () =>
      expect((await row('s-0')).getAttribute('aria-selected')).toBe('true')
    );
    press(grid!, 'ArrowDown');
    await vi.waitFor(async () =>
      expect(grid!.getAttribute('aria-activedescendant')).toBe(
        (await row('s-1')).id
      )
    );
    press(grid!, 'Enter');
    await vi.waitFor(() =>
      expect(executed).toEqual([
        [CommandIDs.openRun, { id: 's-1', sweepId: 's' }]
      ])
    );
  });

  it('tells everything of the selected run', async () => {
    await open();
    (await row('s-2')).click();
    await text('line 1: too deep');
    await text('fixed');
  });

  it('shows the parameters that were left at the notebook’s default', async () => {
    server.put({ id: 's', defaults: { fixed: 'y', layers: [64, 32] } });
    await open();
    (await row('s-2')).click();
    await text('[64, 32] (default)');
    expect(document.body.textContent).not.toContain('y (default)');
  });

  it('says where the time of a run went, and how its kernel was made', async () => {
    server.putRun({
      id: 's-0',
      sweep_id: 's',
      timing: { queue: 12.3, start: 0.021, cells: 0.211, finish: 0.048 },
      kernel_start: 'fresh',
      kernel_reason: 'The module torch initialised CUDA when it was imported.'
    });
    await open();
    (await row('s-0')).click();
    const spent = await byRole('list', 'Time spent');
    expect(
      [...spent.children].map(part => [
        part.textContent,
        (part as HTMLElement).title !== ''
      ])
    ).toEqual([
      ['queue 12 s', true],
      ['start 21 ms', true],
      ['cells 0.21 s', true],
      ['finish 48 ms', true]
    ]);
    // the wait would hide the rest
    const bar = [
      ...document.querySelectorAll<HTMLElement>('.jp-MlopsSpent-bar > span')
    ];
    expect(
      bar.map(({ dataset, style }) => [
        dataset['part'],
        Number(style.flexGrow).toFixed(3)
      ])
    ).toEqual([
      ['start', '0.075'],
      ['cells', '0.754'],
      ['finish', '0.171']
    ]);
    await text(/Kernelfresh\s*The module torch initialised CUDA/);
  });

  it.each([
    ['warm', 'warm'],
    ['shared', 'shared cells']
  ] as const)('calls a kernel that is %s so', async (start, words) => {
    server.putRun({ id: 's-0', sweep_id: 's', kernel_start: start });
    await open();
    (await row('s-0')).click();
    await vi.waitFor(() =>
      expect(document.querySelector('[data-kernel-start]')?.textContent).toBe(
        words
      )
    );
    expect(document.querySelector('.jp-MlopsSpent-reason')).toBeNull();
  });

  it('says nothing of time and kernel while they are not known', async () => {
    await open();
    (await row('s-0')).click();
    await text('Run 1');
    expect(allByRole('list', 'Time spent')).toHaveLength(0);
    expect(document.querySelector('[data-kernel-start]')).toBeNull();
  });

  it('says which cells run once per slot, and which runs could not go on from there', async () => {
    server.put({ id: 's', prefix: 4, shared_cells: 3 });
    server.putRun({ id: 's-0', sweep_id: 's', kernel_start: 'shared' });
    await open();
    await text('The first 3 code cells run once per slot.');
    (await byRole('tab', 'Details')).click();
    await text('Once per slotthe first 3 code cells');
    server.putRun({ id: 's-1', sweep_id: 's', kernel_start: 'warm' });
    server.put({ id: 's', state: 'succeeded' });
    await model.refresh();
    await text(
      'The first 3 code cells ran once per slot. 1 run executed them by itself; its details say why.'
    );
  });

  it('does not speak of shared cells where there are none', async () => {
    server.put({ id: 's', run_seconds: 12 });
    await open();
    await text('A run takes 12 s.');
    (await byRole('tab', 'Details')).click();
    await text('How it runs');
    expect(document.body.textContent).not.toContain('per slot');
  });

  it('keeps selection and order while runs change', async () => {
    await open();
    (await row('s-1')).click();
    await text('Run 2');
    server.putRun({ id: 's-0', sweep_id: 's', metrics: { auc: 0.61 } });
    server.put({ id: 's' });
    await model.refresh();
    await vi.waitFor(async () =>
      expect((await row('s-0')).textContent).toContain('0.61')
    );
    expect((await row('s-1')).getAttribute('aria-selected')).toBe('true');
    expect(rows()).toEqual(['s-0', 's-1', 's-2']);
  });

  it('has one selection for all that shows the sweep, also after it was closed', async () => {
    await open();
    (await row('s-1')).click();
    await text('Run 2');
    expect(model.selection('s').runs).toEqual(['s-1']);
    (await byRole('tab', 'Details')).click();
    await text('How it runs');
    model.selection('s').select('s-2');
    (await byRole('tab', 'Runs')).click();
    await text('line 1: too deep');
    expect((await row('s-2')).getAttribute('aria-selected')).toBe('true');
    view.dispose();
    await open();
    await text('line 1: too deep');
    (await byRole('button', 'Close these details')).click();
    await vi.waitFor(() =>
      expect(document.body.textContent).not.toContain('line 1: too deep')
    );
    expect(model.selection('s').current).toBeNull();
  });

  it('lets the metric be chosen while it runs', async () => {
    await open();
    pick(await byRole('combobox', 'Metric by which runs are compared'), 'auc');
    await vi.waitFor(() =>
      expect(server.askedFor('sweeps/s', 'PATCH').at(-1)?.body).toEqual({
        objective: { metric: 'auc', direction: 'maximize' }
      })
    );
  });

  it('says why it paused, with the way on beside it', async () => {
    server.put({
      id: 's',
      state: 'paused',
      pause_requested: true,
      message: '3 runs failed alike and none succeeded'
    });
    await open();
    await text('3 runs failed alike');
    (await byRole('button', 'Resume')).click();
    expect(executed).toEqual([[CommandIDs.resumeSweep, { id: 's' }]]);
  });

  it('says what a run takes once the first is done', async () => {
    server.put({
      id: 's',
      run_seconds: 12,
      run_memory: 410_000_000,
      slots_open: 2
    });
    await open();
    await text('A run takes 12 s and 410 MB. 2 go at a time.');
  });

  it('explains itself before there are runs, and where there is no such sweep', async () => {
    server.put({ id: 'new', state: 'queued', total: 40 });
    await open('new');
    await text('Waiting for the service');
    await text('40 runs will be listed here');
    view.dispose();
    await open('nothing');
    await text('There is no such sweep');
  });
});
