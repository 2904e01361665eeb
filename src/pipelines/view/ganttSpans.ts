/** Which times of a run belong to which step. */
import type { PipelineRunDetails, StepRun, Sweep } from '../../api/schema';
import { tryState } from '../../ui/pipelineStates';

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
        state: tryState(sweep),
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
  const own = attempts.get(step.sweeps.at(-1) ?? '')?.started_at;
  const begun = last
    ? // where its beginning is that of its first try
      Math.max(last.end, own ? Date.parse(own) : started)
    : started;
  const end = Math.max(begun, ended ?? now ?? begun);
  spans.push(
    state === 'waiting'
      ? { kind: 'wait', state, attempt, start: last?.end ?? begun, end }
      : { kind: 'try', state, attempt, start: begun, end }
  );
  return withWaits(spans, ready ?? spans[0]!.start);
}

/** What lies between, from when it could have begun. */
function withWaits(spans: readonly ISpan[], ready: number): ISpan[] {
  return spans.flatMap((span, index) => {
    const before = index === 0 ? ready : spans[index - 1]!.end;
    return before < span.start
      ? [
          {
            kind: 'wait' as const,
            state: 'waiting' as const,
            attempt: span.attempt,
            start: before,
            end: span.start
          },
          span
        ]
      : [span];
  });
}
