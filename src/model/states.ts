/** Which states are final. */
import type {
  PipelineRunState,
  RunState,
  Sweep,
  SweepState
} from '../api/schema';

type AnyState = SweepState | RunState | PipelineRunState;

const OVER: ReadonlySet<AnyState> = new Set([
  'succeeded',
  'failed',
  'stopped',
  'pruned',
  'skipped'
] as const);

/** Whether a run, sweep or pipeline run in this state is over. */
export function isOver(state: AnyState): boolean {
  return OVER.has(state);
}

/** Runs of a sweep that came to an end of their own; one that was stopped did not. */
export function finishedRuns(sweep: Sweep): number {
  const { succeeded = 0, failed = 0, pruned = 0 } = sweep.counts;
  return succeeded + failed + pruned;
}
