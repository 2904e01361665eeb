/** Records of pipelines, as they are where nothing is said of them. */
import type {
  GraphStep,
  Pipeline,
  PipelineRun,
  RunMark,
  StepRun,
  Trigger,
  Version
} from '../api/schema';

const AT = '2026-11-24T10:00:00.000000+00:00';

export function pipelineOf(
  id: string,
  change: Partial<Pipeline> = {}
): Pipeline {
  return {
    id,
    name: id,
    path: 'train.ipynb',
    project: '',
    version: 1,
    versions: 1,
    paused: false,
    runs: 0,
    recent: [],
    triggers: 0,
    next_at: null,
    message: '',
    target: 'local',
    service: '',
    steps: 1,
    created_at: AT,
    deleted_at: null,
    revision: 0,
    ...change
  };
}

export function markOf(
  run: Pick<RunMark, 'id'> & Partial<PipelineRun & RunMark>
): RunMark {
  const { id, number = 1, state = 'succeeded', at, seconds = null } = run;
  return { id, number, state, at: at ?? run.created_at ?? AT, seconds };
}

export function pipelineRunOf(
  id: string,
  pipelineId: string,
  change: Partial<PipelineRun> = {}
): PipelineRun {
  return {
    id,
    pipeline_id: pipelineId,
    version: 1,
    number: 1,
    state: 'queued',
    cause: 'hand',
    trigger_id: '',
    scheduled_at: AT,
    parameters: {},
    overlap: 'queue',
    service: '',
    started_by: '',
    stop_requested: false,
    steps: {},
    drift: '',
    log: [],
    alerted: [],
    mlflow_experiment_id: null,
    mlflow_run_id: null,
    created_at: AT,
    started_at: null,
    ended_at: null,
    message: '',
    reason: '',
    revision: 0,
    ...change
  };
}

export function stepRunOf(
  step: string,
  runId: string,
  change: Partial<StepRun> = {}
): StepRun {
  return {
    id: `${runId}-${step}`,
    run_id: runId,
    pipeline_id: '',
    step,
    position: 0,
    state: 'waiting',
    attempt: 1,
    failures: 0,
    sweeps: [],
    notebook_run: '',
    parameters: {},
    outputs: {},
    inputs: [],
    defaults: {},
    fingerprint: '',
    reused: '',
    error: null,
    started_at: null,
    ended_at: null,
    retry_at: null,
    message: '',
    reason: '',
    revision: 0,
    ...change
  };
}

export function graphStepOf(
  name: string,
  change: Partial<GraphStep> = {}
): GraphStep {
  return {
    name,
    notebook: `${name}.ipynb`,
    sweep: false,
    outputs: [],
    after: [],
    when: '',
    run_if: 'succeeded',
    layer: 0,
    ...change
  };
}

export function triggerOf(
  id: string,
  pipelineId: string,
  change: Partial<Trigger> = {}
): Trigger {
  return {
    id,
    pipeline_id: pipelineId,
    kind: 'cron',
    enabled: true,
    cron: '0 6 * * *',
    zone: 'UTC',
    pattern: '',
    upstream: '',
    on: 'succeeded',
    token_hash: '',
    overlap: 'queue',
    missed: 'one',
    grace: 86_400,
    parameters: {},
    next_at: null,
    last_at: null,
    message: '',
    created_at: AT,
    revision: 0,
    ...change
  };
}

export function versionOf(
  pipelineId: string,
  number: number,
  change: Partial<Version> = {}
): Version {
  return {
    pipeline_id: pipelineId,
    number,
    definition: {
      name: '',
      description: '',
      parameters: {},
      steps: {},
      target: 'local',
      concurrency: 1,
      deadline: null,
      environment: 'warn',
      frozen: [],
      experiment: '',
      alerts: { to: [], on: ['failure', 'recovery'], slow: null },
      retention: { runs: null, days: null }
    },
    folder: '',
    files: {},
    data: [],
    kernels: {},
    kernelspecs: {},
    lock: {},
    git_commit: '',
    git_diff: '',
    source: 'file',
    note: '',
    warnings: [],
    created_at: AT,
    ...change
  };
}
