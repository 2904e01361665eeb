/** Ids of commands, and CSS classes of what has a context menu of commands. */

export namespace CommandIDs {
  /** Sweep a notebook with its remembered space; shows the panel where there is none. Args: `path?`. */
  export const sweepNotebook = 'mlops:sweep-notebook';
  /** Args: `id`. So do all that act on a sweep. */
  export const openSweep = 'mlops:open-sweep';
  export const stopSweep = 'mlops:stop-sweep';
  export const pauseSweep = 'mlops:pause-sweep';
  export const resumeSweep = 'mlops:resume-sweep';
  export const retrySweep = 'mlops:retry-sweep';
  /** Args: `id`, `name?`; asks for the name where it is left out. */
  export const renameSweep = 'mlops:rename-sweep';
  /** Args: `id`, `archived?` (default: the other way). */
  export const archiveSweep = 'mlops:archive-sweep';
  export const deleteSweep = 'mlops:delete-sweep';
  export const restoreSweep = 'mlops:restore-sweep';
  /** Args: `id` (of the run), `sweepId`, `cell?` (index to scroll to). */
  export const openRun = 'mlops:open-run';
  /** The notebook as the sweep was started with it. Args: `id` (of the sweep). */
  export const openFrozen = 'mlops:open-frozen-notebook';
  /** Args: `id` (of the run), where no run's menu is open. So does the next one. */
  export const stopRun = 'mlops:stop-run';
  export const copyParameters = 'mlops:copy-parameters';
  /** Args: `experimentId?`, `runId?`. */
  export const openMlflow = 'mlops:open-mlflow';
  export const showPanel = 'mlops:show-panel';
  export const showServiceLog = 'mlops:show-service-log';
  /**
   * Make a pipeline of a finished run, a sweep's best run, a notebook or a pipeline file: asks for name
   * and schedule. Args: `runId?`, `sweepId?`, `path?`, `pointed?` (the run whose menu is open); without any, of the
   * notebook in front.
   */
  export const promote = 'mlops:promote';
  /** Args: `id`. So do all that act on a pipeline. */
  export const openPipeline = 'mlops:open-pipeline';
  /**
   * Run it now; with `ask`, after asking for version and parameters, which begin with those given.
   * Args: `id`, `ask?`, `parameters?`, `version?`.
   */
  export const runPipeline = 'mlops:run-pipeline';
  export const pausePipeline = 'mlops:pause-pipeline';
  export const resumePipeline = 'mlops:resume-pipeline';
  /** Args: `id`, `name?`; asks for the name where it is left out. */
  export const renamePipeline = 'mlops:rename-pipeline';
  export const deletePipeline = 'mlops:delete-pipeline';
  export const restorePipeline = 'mlops:restore-pipeline';
  /** Change alerts and retention of a notebook's pipeline; asks for them. */
  export const changePolicies = 'mlops:change-policies';
  /** Send a test to its alert addresses. */
  export const testAlert = 'mlops:test-alert';
  /** Let another version fire. Args: `id`, `version` (its number). */
  export const rollbackPipeline = 'mlops:rollback-pipeline';
  /** Add a schedule or trigger, or change one. Args: `id`, `trigger?` (its id). */
  export const schedulePipeline = 'mlops:schedule-pipeline';
  /** Args: `id` (of the pipeline), `trigger` (its id). So do the next two. */
  export const removeTrigger = 'mlops:remove-trigger';
  export const pauseTrigger = 'mlops:pause-trigger';
  export const resumeTrigger = 'mlops:resume-trigger';
  /** Run a schedule's past times; asks for which. Args: `id`, `trigger?`. */
  export const backfillPipeline = 'mlops:backfill-pipeline';
  /** Args: `id` (of the pipeline), `run` (id of the run); by default those whose menu is open. */
  export const openPipelineRun = 'mlops:open-pipeline-run';
  /** Args: `id` (of the run); in a pipeline's context menu its latest one is meant. */
  export const stopPipelineRun = 'mlops:stop-pipeline-run';
  /** Repeat what failed, or all from a step on. Args: `id` (of the run), `step?`. */
  export const retryPipelineRun = 'mlops:retry-pipeline-run';
  /** Write a pipeline of two notebooks and open it. Args: `cwd?`, `inMenu?` (a shorter label). */
  export const newPipelineFile = 'mlops:new-pipeline-file';
  /** Let the service outlive the login. */
  export const installService = 'mlops:install-service';
  /** Tag the active cell of the current notebook as its parameters. */
  export const tagParameters = 'mlops:tag-parameters';
}

/** CSS class of everything that is a sweep and has its context menu; carries `data-sweep-id`. */
export const SWEEP_CLASS = 'jp-MlopsSweepItem';

/** CSS class of everything that is a run of a sweep and has its context menu; carries `data-run-id`. */
export const RUN_CLASS = 'jp-MlopsRunItem';

/** CSS class of everything that is a pipeline and has its context menu; carries `data-pipeline-id`. */
export const PIPELINE_CLASS = 'jp-MlopsPipelineItem';

/** CSS class of everything that is a run of a pipeline and has its context menu; carries `data-run`. */
export const PIPELINE_RUN_CLASS = 'jp-MlopsPipelineRunItem';
