/** Which times of a run belong to which step. */
import type { PipelineRunDetails, StepRun, Sweep } from '../../api/schema';

export interface ISpan {
  kind: 'wait' | 'try' | 'mark';
  /** Of the step, or of an earlier attempt. */
  state: StepRun['state'];
  /** From 1, of a try. */
  attempt: number;
  /** Milliseconds since 1970. */
  start: number;
  end: number;
}

export interface IRow {
  name: string;
  run: StepRun | undefined;
  spans: readonly ISpan[];
}

export interface ITimes {
  start: number;
  end: number;
  rows: readonly IRow[];
}

/** Steps from top to bottom as they wait for each other, with their times until `now`. */
export function timesOf(
  details: PipelineRunDetails,
  attempts: ReadonlyMap<string, Sweep>,
  now: number
): ITimes {
  const { run, steps, graph } = details;
  const byName = new Map(steps.map(step => [step.step, step]));
  const over = run.ended_at !== null;
  const start = Date.parse(run.started_at ?? run.created_at);
  const rows = [...graph]
    .map((step, index) => ({ step, index }))
    .sort((a, b) => a.step.layer - b.step.layer || a.index - b.index)
    .map(({ step }): IRow => {
      const own = byName.get(step.name);
      const before = step.after.map(name => byName.get(name));
      const ready = before.every(other => other?.ended_at)
        ? Math.max(start, ...before.map(other => Date.parse(other!.ended_at!)))
        : null;
      return {
        name: step.name,
        run: own,
        spans: own ? spansOf(own, attempts, ready, over ? null : now) : []
      };
    });
  const ends = rows.flatMap(({ spans }) => spans.map(({ end }) => end));
  const end = Math.max(
    start + 1,
    ...ends,
    over ? Date.parse(run.ended_at!) : now
  );
  return {
    start: Math.min(
      start,
      ...rows.flatMap(({ spans }) => spans.map(s => s.start))
    ),
    end,
    rows
  };
}

function spansOf(
  step: StepRun,
  attempts: ReadonlyMap<string, Sweep>,
  ready: number | null,
  now: number | null
): ISpan[] {
  const spans: ISpan[] = [];
  const { state, attempt } = step;
  for (const [index, id] of step.sweeps.slice(0, -1).entries()) {
    const sweep = attempts.get(id);
    if (sweep?.started_at && sweep.ended_at) {
      spans.push({
        kind: 'try',
        state: sweep.state === 'stopped' ? 'stopped' : 'failed',
        attempt: index + 1,
        start: Date.parse(sweep.started_at),
        end: Date.parse(sweep.ended_at)
      });
    }
  }
  const started = step.started_at === null ? null : Date.parse(step.started_at);
  const ended = step.ended_at === null ? null : Date.parse(step.ended_at);
  const last = spans.at(-1);
  if (state === 'skipped' || state === 'reused' || started === null) {
    const at = ended ?? started;
    if (at !== null) {
      spans.push({ kind: 'mark', state, attempt, start: at, end: at });
    } else if (now !== null && ready !== null) {
      spans.push({ kind: 'wait', state, attempt, start: ready, end: now });
    }
    return spans;
  }
  // where its beginning is that of its first try, the last one began when the one before ended
  const begun = last ? Math.max(started, last.end) : started;
  const first = last ? Math.min(started, spans[0]!.start) : started;
  if (ready !== null && first > ready) {
    spans.unshift({
      kind: 'wait',
      state: 'waiting',
      attempt: 1,
      start: ready,
      end: first
    });
  }
  const end = ended ?? now ?? begun;
  if (state === 'waiting') {
    spans.push({
      kind: 'wait',
      state,
      attempt,
      start: last?.end ?? begun,
      end
    });
  } else {
    spans.push({
      kind: 'try',
      state,
      attempt,
      start: begun,
      end: Math.max(begun, end)
    });
  }
  return spans;
}
