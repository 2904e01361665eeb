/** What the table of runs shows, in which order. */
import type { RunSummary, RunState, Sweep } from '../../api/schema';
import { isOver } from '../../model/states';
import { decimalsOf, formatNumber, literalText } from '../../ui/format';
import { runSeconds } from './timing';

export type ColumnKind =
  | 'index'
  | 'state'
  | 'parameter'
  | 'metric'
  | 'cell'
  | 'duration'
  | 'worker'
  | 'note';

export interface IColumn {
  /** Unique among the columns of a table, and the same as long as the column lives. */
  readonly id: string;
  readonly kind: ColumnKind;
  /** Of the parameter or metric; empty for the others. */
  readonly name: string;
  /** Pixels. */
  readonly width: number;
  /** Digits behind the point; of a metric. */
  readonly decimals: number;
  /** Whether it is the metric that runs are compared by. */
  readonly compared: boolean;
}

export interface ISort {
  readonly column: string;
  readonly descending: boolean;
}

/** By index, as the runs were planned. */
export const PLANNED_ORDER: ISort = { column: 'index', descending: false };

/** Live ones first, then what asks for attention. */
export const STATE_ORDER: readonly RunState[] = [
  'running',
  'starting',
  'queued',
  'failed',
  'stopped',
  'pruned',
  'succeeded'
];

const STATE_RANK = new Map(STATE_ORDER.map((state, rank) => [state, rank]));
const CHARACTER = 7.5;
const PADDING = 22;
const WIDEST = 26;

/** Names of all metrics that runs have or that were asked for: the objective first. */
export function metricNames(
  sweep: Sweep,
  runs: readonly RunSummary[]
): string[] {
  const seen = new Set<string>();
  for (const run of runs) {
    for (const name in { ...run.metrics, ...run.not_finite }) {
      seen.add(name);
    }
  }
  const first = [
    ...(sweep.objective ? [sweep.objective.metric] : []),
    ...sweep.metrics
  ];
  return [
    ...new Set([
      ...first.filter(name => seen.has(name)),
      ...[...seen].sort((a, b) => a.localeCompare(b))
    ])
  ];
}

/**
 * The columns of a table. Where `before` has them already its widths are kept or grow, so that
 * nothing moves sideways while values arrive; where nothing is different it is returned itself.
 */
export function buildColumns(
  sweep: Sweep,
  runs: readonly RunSummary[],
  before: readonly IColumn[] = []
): readonly IColumn[] {
  const known = new Map(before.map(column => [column.id, column]));
  const make = (
    kind: ColumnKind,
    name: string,
    width: number,
    decimals = 0
  ): IColumn => {
    const id = name ? `${kind}:${name}` : kind;
    const old = known.get(id);
    const compared = kind === 'metric' && name === sweep.objective?.metric;
    return old &&
      old.width >= width &&
      old.decimals >= decimals &&
      old.compared === compared
      ? old
      : {
          id,
          kind,
          name,
          width: Math.max(width, old?.width ?? 0),
          decimals: Math.max(decimals, old?.decimals ?? 0),
          compared
        };
  };
  const columns = [
    make('index', '', 62),
    make('state', '', 104),
    make('cell', '', 72),
    make('duration', '', 84),
    ...sweep.varied.map(name =>
      make('parameter', name, parameterWidth(name, sweep, runs))
    ),
    ...metricNames(sweep, runs).map(name =>
      make(
        'metric',
        name,
        widthOf(Math.max(name.length + 2, 9)),
        decimalsOf(runs.flatMap(({ metrics }) => metrics[name] ?? []))
      )
    ),
    make('note', '', 130),
    make('worker', '', workerWidth(runs))
  ];
  return columns.length === before.length &&
    columns.every((column, i) => column === before[i])
    ? before
    : columns;
}

function parameterWidth(
  name: string,
  sweep: Sweep,
  runs: readonly RunSummary[]
): number {
  let characters = Math.max(name.length + 2, 6);
  for (const run of runs) {
    if (characters >= WIDEST) {
      break;
    }
    const text = valueText(run.parameters[name], sweep.language);
    characters = Math.max(characters, text.length);
  }
  return widthOf(characters);
}

function workerWidth(runs: readonly RunSummary[]): number {
  const longest = runs.reduce(
    (length, { worker }) => Math.max(length, worker.length),
    8
  );
  return Math.min(widthOf(longest), 140);
}

function widthOf(characters: number): number {
  return Math.round(Math.min(characters, WIDEST) * CHARACTER) + PADDING;
}

/**
 * A parameter's value as a person reads it.
 *
 * @param language of the kernel, lower case: Python's words are written as Python writes them
 */
export function valueText(value: unknown, language: string): string {
  switch (typeof value) {
    case 'undefined':
      return '';
    case 'number':
      return String(Number(value.toPrecision(6)));
    case 'string':
      return value;
    default:
      return literalText(value, language);
  }
}

export function metricText(
  value: number | undefined,
  decimals?: number
): string {
  return value === undefined ? '' : formatNumber(value, decimals);
}

/** One line on why a run failed, what it waits for, or what to know of it. */
export function noteOf(run: RunSummary): string {
  return run.message;
}

/**
 * Whether a run has no metrics, will get none, and has something to say: its note takes the place
 * of the metrics then, where it can be read.
 */
export function noteInstead(run: RunSummary): boolean {
  return (
    isOver(run.state) &&
    noteOf(run) !== '' &&
    Object.keys({ ...run.metrics, ...run.not_finite }).length === 0
  );
}

/** What a column sorts by; null where the cell is empty. */
export function sortValue(
  column: IColumn,
  run: RunSummary,
  now: number
): number | string | null {
  switch (column.kind) {
    case 'index':
      return run.index;
    case 'state':
      return STATE_RANK.get(run.state) ?? null;
    case 'parameter': {
      const value = run.parameters[column.name];
      return typeof value === 'number' ? value : valueText(value, '') || null;
    }
    case 'metric': {
      const value = run.metrics[column.name];
      return value === undefined || Number.isNaN(value) ? null : value;
    }
    case 'cell':
      return run.cells > 0 ? run.cell / run.cells : null;
    case 'duration':
      return runSeconds(run, now);
    case 'worker':
      return run.worker || null;
    case 'note':
      return noteOf(run) || null;
  }
}

const collator = new Intl.Collator(undefined, { numeric: true });

/** Numbers before texts, texts as a person orders them (`a2` before `a10`). */
function compare(a: number | string, b: number | string): number {
  if (typeof a === 'number') {
    return typeof b === 'number' ? a - b : -1;
  }
  return typeof b === 'number' ? 1 : collator.compare(a, b);
}

/** Sorted copy: stable, and runs without a value come last whichever way it is sorted. */
export function sortRuns(
  runs: readonly RunSummary[],
  columns: readonly IColumn[],
  sort: ISort,
  now = Date.now()
): readonly RunSummary[] {
  const column = columns.find(({ id }) => id === sort.column);
  if (!column || (column.kind === 'index' && !sort.descending)) {
    return runs;
  }
  const sign = sort.descending ? -1 : 1;
  return runs
    .map(run => ({ run, value: sortValue(column, run, now) }))
    .sort((a, b) => {
      if (a.value === null || b.value === null) {
        return Number(a.value === null) - Number(b.value === null);
      }
      return sign * compare(a.value, b.value) || a.run.index - b.run.index;
    })
    .map(({ run }) => run);
}

/** What a click on a column's header asks for: metrics best first, then the other way. */
export function nextSort(sort: ISort, column: IColumn, sweep: Sweep): ISort {
  if (sort.column === column.id) {
    return { column: column.id, descending: !sort.descending };
  }
  const descending =
    column.kind === 'metric' &&
    (sweep.objective?.metric === column.name
      ? sweep.objective.direction
      : likelyDirection(column.name)) === 'maximize';
  return { column: column.id, descending };
}

/** States as runs are filtered by them; one that starts counts as running, where it soon is. */
export type RunFilter = Exclude<RunState, 'starting'>;

const FILTERS: readonly RunFilter[] = [
  'running',
  'queued',
  'failed',
  'stopped',
  'pruned',
  'succeeded'
];

export function filterOf(run: RunSummary): RunFilter {
  return run.state === 'starting' ? 'running' : run.state;
}

/**
 * How many runs there are of each kind. Kinds without runs are left out, but for those that come and
 * go all the time while a sweep is live.
 */
export function countRuns(
  runs: readonly RunSummary[],
  live: boolean
): [RunFilter, number][] {
  const counts = new Map<RunFilter, number>(
    live ? FILTERS.map(kind => [kind, 0]) : []
  );
  for (const run of runs) {
    const kind = filterOf(run);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  if (live) {
    for (const rare of ['failed', 'stopped', 'pruned'] as const) {
      if (counts.get(rare) === 0) {
        counts.delete(rare);
      }
    }
  }
  return FILTERS.flatMap(kind => {
    const count = counts.get(kind);
    return count === undefined ? [] : [[kind, count] as [RunFilter, number]];
  });
}

const SMALLER_IS_BETTER =
  /(^|_|\b)(loss|err(or)?|rmse|mse|mae|mape|rmsle|nll|logloss|log_loss|perplexity|wer|cer|seconds|time|latency|cost|brier)(_|\b|$)/i;

/** Which way a metric is most likely meant, to begin with. */
export function likelyDirection(metric: string): 'maximize' | 'minimize' {
  return SMALLER_IS_BETTER.test(metric) ? 'minimize' : 'maximize';
}
