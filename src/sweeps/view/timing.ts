/** How long runs take and how long a sweep still needs. */
import type { RunSummary, Sweep } from '../../api/schema';
import { finishedRuns } from '../../model/states';

/** Seconds a run has taken so far or took in all; null where it has not started. */
export function runSeconds(run: RunSummary, now: number): number | null {
  if (!run.started_at) {
    return null;
  }
  const end = run.ended_at ? Date.parse(run.ended_at) : now;
  // clocks of server and browser differ: nothing takes less than no time
  return Math.max(0, (end - Date.parse(run.started_at)) / 1000);
}

/**
 * Seconds until a sweep is through, from what a run takes and how many go at once; null while that
 * is not known: before the first run is done, and while nothing is handed out.
 */
export function timeLeft(
  sweep: Sweep,
  runs: readonly RunSummary[],
  now: number
): number | null {
  const { run_seconds: each, slots_open: slots } = sweep;
  if (
    sweep.state !== 'running' ||
    sweep.pause_requested ||
    sweep.stop_requested ||
    each === null ||
    slots < 1
  ) {
    return null;
  }
  const live = runs
    .filter(({ state }) => state === 'running' || state === 'starting')
    .map(run => Math.max(0, each - (runSeconds(run, now) ?? 0)));
  const over = finishedRuns(sweep) + (sweep.counts['stopped'] ?? 0);
  const waiting = Math.max(0, sweep.total - over - live.length);
  const work = live.reduce((sum, part) => sum + part, waiting * each);
  // the last ones do not share slots: it takes at least as long as the longest of them
  return Math.max(work / slots, waiting > 0 ? each : 0, ...live);
}
