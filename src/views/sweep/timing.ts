/** How long runs take and how long a sweep still needs. */
import type { Run, Sweep } from '../../api/schema';
import { finishedRuns } from '../../tokens';

/** Seconds a run has taken so far or took in all; null where it has not started. */
export function runSeconds(run: Run, now: number): number | null {
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
  runs: readonly Run[],
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
  const waiting = Math.max(0, sweep.total - finishedRuns(sweep) - live.length);
  const work = live.reduce((sum, part) => sum + part, waiting * each);
  // the last ones do not share slots: it takes at least as long as the longest of them
  return Math.max(work / slots, waiting > 0 ? each : 0, ...live);
}

/** As a person says it: `8.3 s`, `42 s`, `3 min 05 s`, `2 h 07 min`. */
export function formatDuration(seconds: number, tenths = true): string {
  if (tenths && seconds < 9.95) {
    return `${seconds.toFixed(1)} s`;
  }
  const whole = Math.round(seconds);
  if (whole < 60) {
    return `${whole} s`;
  }
  if (whole < 3600) {
    return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  }
  const minutes = Math.round(whole / 60);
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
}

/** No more exact than it can be known: `about 40 s`, `about 3 min`, `about 2 h 10 min`. */
export function roughly(seconds: number): string {
  if (seconds < 5) {
    return '5 s';
  }
  if (seconds < 55) {
    return `${Math.ceil(seconds / 5) * 5} s`;
  }
  if (seconds < 3570) {
    return `${Math.max(1, Math.round(seconds / 60))} min`;
  }
  const minutes = Math.round(seconds / 600) * 10;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}
