import { describe, expect, it } from 'vitest';
import type { Run, RunSummary, Sweep } from '../../api/schema';
import { runOf, sweepOf } from '../../testing/server';
import {
  buildColumns,
  countRuns,
  likelyDirection,
  metricNames,
  nextSort,
  noteInstead,
  PLANNED_ORDER,
  sortRuns,
  valueText,
  type IColumn
} from './columns';

const run = (index: number, fields: Partial<Run> = {}): Run => ({
  ...runOf(`r-${index}`, 's'),
  index,
  ...fields
});
const sweep = (fields: Partial<Sweep> = {}): Sweep => ({
  ...sweepOf('s'),
  varied: ['depth'],
  objective: null,
  metrics: [],
  ...fields
});
const order = (runs: readonly RunSummary[]) => runs.map(({ index }) => index);
const column = (columns: readonly IColumn[], id: string): IColumn =>
  columns.find(one => one.id === id)!;

describe('metricNames', () => {
  it('lists what runs have: the objective first, then as asked for, then by name', () => {
    const runs = [
      run(0, { metrics: { zeta: 1, auc: 1 } }),
      run(1, { metrics: { loss: 1, alpha: 1 } })
    ];
    expect(
      metricNames(
        sweep({
          objective: { metric: 'loss', direction: 'minimize' },
          metrics: ['zeta', 'never_seen']
        }),
        runs
      )
    ).toEqual(['loss', 'zeta', 'alpha', 'auc']);
  });
});

describe('buildColumns', () => {
  it('has the parameters that differ and all metrics', () => {
    const columns = buildColumns(sweep(), [
      run(0, { parameters: { depth: 3, fixed: 1 }, metrics: { auc: 0.5 } })
    ]);
    expect(columns.map(({ id }) => id)).toEqual([
      'index',
      'state',
      'cell',
      'duration',
      'parameter:depth',
      'metric:auc',
      'note',
      'worker'
    ]);
  });

  it('is the same object while nothing is different, and never narrower', () => {
    const wide = run(0, { parameters: { depth: 'a very long value' } });
    const before = buildColumns(sweep(), [wide]);
    const narrow = run(0, { parameters: { depth: 'a' } });
    const after = buildColumns(sweep(), [narrow], before);
    expect(after).toBe(before);
  });

  it('keeps the other columns when a metric appears', () => {
    const before = buildColumns(sweep(), [run(0)]);
    const after = buildColumns(
      sweep(),
      [run(0, { metrics: { auc: 1 } })],
      before
    );
    expect(column(after, 'parameter:depth')).toBe(
      column(before, 'parameter:depth')
    );
    expect(column(after, 'metric:auc')).toBeDefined();
  });

  it('tells by which metric runs are compared', () => {
    const runs = [run(0, { metrics: { auc: 1, loss: 2 } })];
    const chosen = sweep({
      objective: { metric: 'loss', direction: 'minimize' }
    });
    const columns = buildColumns(chosen, runs, buildColumns(sweep(), runs));
    expect(
      columns.filter(({ compared }) => compared).map(({ id }) => id)
    ).toEqual(['metric:loss']);
  });
});

describe('sortRuns', () => {
  const runs = [
    run(0, { metrics: { auc: 0.7 }, parameters: { depth: 'a10' } }),
    run(1, { parameters: { depth: 'a2' } }),
    run(2, { metrics: { auc: 0.9 }, parameters: { depth: 7 } }),
    run(3, { metrics: { auc: NaN }, parameters: { depth: 3 } }),
    run(4, { metrics: { auc: 0.7 }, parameters: { depth: null } })
  ];
  const columns = buildColumns(sweep(), runs);

  it('is stable, with runs without a value last both ways', () => {
    const sorted = (descending: boolean) =>
      order(sortRuns(runs, columns, { column: 'metric:auc', descending }));
    expect(sorted(false)).toEqual([0, 4, 2, 1, 3]);
    expect(sorted(true)).toEqual([2, 0, 4, 1, 3]);
  });

  it('orders numbers by size, then texts as a person reads them', () => {
    expect(
      order(
        sortRuns(runs, columns, {
          column: 'parameter:depth',
          descending: false
        })
      )
    ).toEqual([3, 2, 1, 0, 4]);
  });

  it('leaves the planned order as it is, and turns it round', () => {
    expect(sortRuns(runs, columns, PLANNED_ORDER)).toBe(runs);
    expect(
      order(sortRuns(runs, columns, { column: 'index', descending: true }))
    ).toEqual([4, 3, 2, 1, 0]);
  });

  it('keeps the order where the column is gone', () => {
    expect(
      sortRuns(runs, columns, { column: 'metric:gone', descending: true })
    ).toBe(runs);
  });

  it('counts a live run’s time until now', () => {
    const start = '2026-01-01T00:00:00Z';
    const timed = [
      run(0, { started_at: start, ended_at: '2026-01-01T00:00:10Z' }),
      run(1, { started_at: start, state: 'running' }),
      run(2)
    ];
    const longest = order(
      sortRuns(
        timed,
        columns,
        { column: 'duration', descending: true },
        Date.parse('2026-01-01T00:00:30Z')
      )
    );
    expect(longest).toEqual([1, 0, 2]);
  });

  it('has live runs first when sorted by state', () => {
    const mixed = [
      run(0, { state: 'succeeded' }),
      run(1, { state: 'queued' }),
      run(2, { state: 'failed' }),
      run(3, { state: 'running' })
    ];
    expect(
      order(sortRuns(mixed, columns, { column: 'state', descending: false }))
    ).toEqual([3, 1, 2, 0]);
  });
});

describe('nextSort', () => {
  const runs = [run(0, { metrics: { auc: 1, val_loss: 1 } })];
  const columns = buildColumns(sweep(), runs);

  it('begins with the best', () => {
    const first = (id: string, of = sweep()) =>
      nextSort(PLANNED_ORDER, column(columns, id), of).descending;
    expect(first('metric:auc')).toBe(true);
    expect(first('metric:val_loss')).toBe(false);
    expect(
      first(
        'metric:auc',
        sweep({ objective: { metric: 'auc', direction: 'minimize' } })
      )
    ).toBe(false);
    expect(first('parameter:depth')).toBe(false);
  });

  it('turns round at the second click', () => {
    const auc = column(columns, 'metric:auc');
    const first = nextSort(PLANNED_ORDER, auc, sweep());
    expect(nextSort(first, auc, sweep())).toEqual({
      column: 'metric:auc',
      descending: false
    });
  });
});

describe('countRuns', () => {
  it('keeps kinds that come and go while the sweep is live', () => {
    expect(countRuns([run(0, { state: 'starting' })], true)).toEqual([
      ['running', 1],
      ['queued', 0],
      ['succeeded', 0]
    ]);
  });

  it('has only kinds with runs at the end', () => {
    expect(
      countRuns(
        [run(0, { state: 'failed' }), run(1, { state: 'succeeded' })],
        false
      )
    ).toEqual([
      ['failed', 1],
      ['succeeded', 1]
    ]);
  });
});

describe('noteInstead', () => {
  const message = 'no';

  it('puts the error where a failed run has no metrics', () => {
    expect(noteInstead(run(0, { state: 'failed', message }))).toBe(true);
    expect(
      noteInstead(run(0, { state: 'failed', message, metrics: { auc: 1 } }))
    ).toBe(false);
    expect(noteInstead(run(0, { state: 'running', message: 'waits' }))).toBe(
      false
    );
  });
});

describe('texts', () => {
  it('shows values as they are meant', () => {
    expect(valueText(0.1 + 0.2, 'python')).toBe('0.3');
    expect(valueText(null, 'python')).toBe('None');
    expect(valueText(undefined, 'python')).toBe('');
    expect(valueText(true, 'python')).toBe('True');
    expect(valueText(true, 'r')).toBe('true');
    expect(valueText([1, 'a'], 'python')).toBe('[1, "a"]');
  });

  it('guesses which way a metric is meant', () => {
    for (const name of ['loss', 'val_loss', 'RMSE', 'error', 'fit_seconds']) {
      expect(likelyDirection(name), name).toBe('minimize');
    }
    for (const name of ['auc', 'accuracy', 'f1', 'terror_free', 'closs']) {
      expect(likelyDirection(name), name).toBe('maximize');
    }
  });
});
