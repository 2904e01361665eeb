/** States and times in words. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { RunSummary, RunState, Sweep } from '../../api/schema';
import { isOver } from '../../model/states';
import { formatCount } from '../../ui/format';

export function runWord(state: RunState, trans: TranslationBundle): string {
  switch (state) {
    case 'queued':
      return trans.__('Waiting');
    case 'starting':
      return trans.__('Starting');
    case 'running':
      return trans.__('Running');
    case 'succeeded':
      return trans.__('Succeeded');
    case 'failed':
      return trans.__('Failed');
    case 'stopped':
      return trans.__('Stopped');
    case 'pruned':
      return trans.__('Pruned');
  }
}

/** How a sweep stands in one word, with what was asked of it and is on its way. */
export function sweepWord(sweep: Sweep, trans: TranslationBundle): string {
  switch (sweep.state) {
    case 'succeeded':
      return trans.__('Succeeded');
    case 'failed':
      return trans.__('Failed');
    case 'stopped':
      return trans.__('Stopped');
    case 'stopping':
      return trans.__('Stopping');
    case 'queued':
    case 'starting':
    case 'running':
    case 'paused':
      if (sweep.stop_requested) {
        return trans.__('Stopping');
      }
      if (sweep.state === 'paused') {
        return sweep.pause_requested
          ? trans.__('Paused')
          : trans.__('Resuming');
      }
      if (sweep.pause_requested) {
        return trans.__('Pausing');
      }
      return sweep.state === 'queued'
        ? trans.__('Waiting')
        : sweep.state === 'starting'
          ? trans.__('Starting')
          : trans.__('Running');
  }
}

/** Which cells run once per slot, and how many runs could not go on from there; empty where none do. */
export function sharedSentence(
  sweep: Sweep,
  runs: readonly RunSummary[],
  trans: TranslationBundle
): string {
  if (sweep.prefix === 0) {
    return '';
  }
  const over = isOver(sweep.state);
  const sentence = over
    ? trans._n(
        'The first code cell ran once per slot.',
        'The first %1 code cells ran once per slot.',
        sweep.shared_cells
      )
    : trans._n(
        'The first code cell runs once per slot.',
        'The first %1 code cells run once per slot.',
        sweep.shared_cells
      );
  const apart = runs.filter(
    ({ kernel_start: start }) => start === 'warm' || start === 'fresh'
  ).length;
  return apart === 0
    ? sentence
    : `${sentence} ${trans._n(
        '%2 run executed them by itself; its details say why.',
        '%2 runs executed them by themselves; their details say why.',
        apart,
        formatCount(apart)
      )}`;
}
