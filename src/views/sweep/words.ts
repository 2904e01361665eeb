/** States and times in words. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { RunState, Sweep } from '../../api/schema';

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

/** Date and time of day, to the second. */
export function fullTime(iso: string | null): string {
  return iso
    ? new Date(iso).toLocaleString([], {
        dateStyle: 'medium',
        timeStyle: 'medium'
      })
    : '';
}
