/** Pipelines, their runs and what starts them, in words. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type {
  GraphStep,
  PipelineRun,
  PipelineRunState,
  StepRun,
  StepState,
  Sweep
} from '../api/schema';

export function stepWord(state: StepState, trans: TranslationBundle): string {
  switch (state) {
    case 'waiting':
      return trans.__('Waiting');
    case 'running':
      return trans.__('Running');
    case 'succeeded':
      return trans.__('Succeeded');
    case 'reused':
      return trans.__('Reused');
    case 'failed':
      return trans.__('Failed');
    case 'stopped':
      return trans.__('Stopped');
    case 'skipped':
      return trans.__('Skipped');
  }
}

export function stateWord(
  state: PipelineRunState,
  trans: TranslationBundle
): string {
  switch (state) {
    case 'queued':
      return trans.__('Waiting');
    case 'running':
      return trans.__('Running');
    case 'succeeded':
      return trans.__('Succeeded');
    case 'failed':
      return trans.__('Failed');
    case 'stopped':
      return trans.__('Stopped');
    case 'skipped':
      return trans.__('Skipped');
  }
}

/** How a run stands, with what was asked of it and is on its way. */
export function runWord(run: PipelineRun, trans: TranslationBundle): string {
  return run.stop_requested && !isRunOver(run.state)
    ? trans.__('Stopping')
    : stateWord(run.state, trans);
}

export function causeWord(
  cause: PipelineRun['cause'],
  trans: TranslationBundle
): string {
  switch (cause) {
    case 'hand':
      return trans.__('by hand');
    case 'cron':
      return trans.__('on schedule');
    case 'files':
      return trans.__('by new files');
    case 'pipeline':
      return trans.__('after another pipeline');
    case 'http':
      return trans.__('by a call');
    case 'backfill':
      return trans.__('as backfill');
  }
}

/** What stands on the way to a step; empty where it simply follows. */
export function edgeWords(step: GraphStep, trans: TranslationBundle): string {
  const ends =
    step.run_if === 'failed'
      ? trans.__('if one failed')
      : step.run_if === 'always'
        ? trans.__('always')
        : '';
  return [ends, step.when].filter(part => part !== '').join(', ');
}

export function isRunOver(state: PipelineRunState): boolean {
  return state !== 'queued' && state !== 'running';
}

/** How one try of a step ended, by the sweep that executed it. */
export function tryState(sweep: Sweep): StepState {
  switch (sweep.state) {
    case 'succeeded':
    case 'failed':
    case 'stopped':
      return sweep.state;
    case 'queued':
    case 'starting':
    case 'running':
    case 'paused':
    case 'stopping':
      return 'running';
  }
}

/** Whether a run can go on from a step. */
export function isRepeatable(state: PipelineRunState): boolean {
  return state === 'failed' || state === 'stopped';
}

export function isStepOver(state: StepState): boolean {
  return state !== 'waiting' && state !== 'running';
}

/** Seconds from start to end, or till now; null before the start. */
export function secondsOf(
  record: Pick<PipelineRun | StepRun, 'started_at' | 'ended_at'>,
  now: number
): number | null {
  if (record.started_at === null) {
    return null;
  }
  const end = record.ended_at === null ? now : Date.parse(record.ended_at);
  return Math.max(0, (end - Date.parse(record.started_at)) / 1000);
}
