import type { INotebookContent } from '@jupyterlab/nbformat';
import { URLExt } from '@jupyterlab/coreutils';
import type { Connection } from './request';
import type {
  AlertTest,
  BackfillAnswer,
  BackfillRequest,
  Changes,
  CronCheck,
  CronRequest,
  NotebookInfo,
  Pipeline,
  PipelineChange,
  PipelineCheck,
  PipelineDetails,
  PipelineRun,
  PipelineRunDetails,
  PipelineRunsPage,
  PipelineText,
  PromoteAnswer,
  PromoteRequest,
  Run,
  RunRequest,
  RunsPage,
  ScheduleAnswer,
  ScheduleRequest,
  ServiceKeep,
  ServiceLog,
  SpaceCheck,
  SpaceRequest,
  Status,
  Step,
  Sweep,
  SweepChange,
  SweepRequest,
  TextAnswer,
  Trigger,
  TriggerChange,
  Version,
  VersionDiff
} from './schema';

/** A request names its notebook; what it leaves out takes the server's default. */
export type Asked<T extends { path: string }> = Partial<T> & Pick<T, 'path'>;

/** What a step says; what it leaves out takes the server's default. */
export type AskedStep = Partial<Step> & Pick<Step, 'notebook'>;

export type SweepAction = 'stop' | 'pause' | 'resume' | 'retry' | 'restore';

/** One method per route. Everything rejects with an `ApiError`. */
export class Client {
  constructor(readonly connection: Connection) {}

  status(): Promise<Status> {
    return this.connection.request(['status']);
  }

  serviceKeep(): Promise<ServiceKeep> {
    return this.connection.request(['service', 'keep']);
  }

  installService(): Promise<ServiceKeep> {
    return this.connection.request(['service', 'keep'], { method: 'POST' });
  }

  uninstallService(): Promise<void> {
    return this.connection.request(['service', 'keep'], { method: 'DELETE' });
  }

  /** Start the service, and MLflow with it, where it does not run. */
  startService(): Promise<void> {
    return this.connection.request(['service'], { method: 'POST' });
  }

  serviceLog(): Promise<ServiceLog> {
    return this.connection.request(['service', 'log']);
  }

  notebook(path: string): Promise<NotebookInfo> {
    return this.connection.request(['notebook'], { query: { path } });
  }

  saveDraft(draft: Asked<SweepRequest>): Promise<void> {
    return this.connection.request(['notebook', 'draft'], {
      method: 'PUT',
      body: draft
    });
  }

  checkSpace(
    space: Asked<SpaceRequest>,
    signal?: AbortSignal
  ): Promise<SpaceCheck> {
    return this.connection.request(['space'], {
      method: 'POST',
      body: space,
      ...(signal && { signal })
    });
  }

  sweeps(archived = false, deleted = false): Promise<Changes> {
    return this.connection.request(['sweeps'], {
      query: { archived: Number(archived), deleted: Number(deleted) }
    });
  }

  /** Sweeps and pipelines newer than a revision, archived and deleted ones too. */
  changes(since: number): Promise<Changes> {
    return this.connection.request(['changes'], { query: { since } });
  }

  startSweep(sweep: Asked<SweepRequest>): Promise<Sweep> {
    return this.connection.request(['sweeps'], { method: 'POST', body: sweep });
  }

  sweep(id: string): Promise<Sweep> {
    return this.connection.request(['sweeps', id]);
  }

  changeSweep(id: string, change: Partial<SweepChange>): Promise<Sweep> {
    return this.connection.request(['sweeps', id], {
      method: 'PATCH',
      body: change
    });
  }

  deleteSweep(id: string): Promise<void> {
    return this.connection.request(['sweeps', id], { method: 'DELETE' });
  }

  sweepAction(id: string, action: SweepAction): Promise<Sweep> {
    return this.connection.request(['sweeps', id, action], { method: 'POST' });
  }

  sweepNotebook(id: string): Promise<INotebookContent> {
    return this.connection.request(['sweeps', id, 'notebook']);
  }

  /** Runs from an index on that are newer than a revision, as many as one answer lists. */
  runs(sweepId: string, since = 0, first = 0): Promise<RunsPage> {
    return this.connection.request(['sweeps', sweepId, 'runs'], {
      query: { since, first }
    });
  }

  run(id: string): Promise<Run> {
    return this.connection.request(['runs', id]);
  }

  stopRun(id: string): Promise<Run> {
    return this.connection.request(['runs', id, 'stop'], { method: 'POST' });
  }

  /** The executed notebook, as far as it has got. */
  runNotebook(id: string): Promise<INotebookContent> {
    return this.connection.request(['runs', id, 'notebook']);
  }

  promote(asked: Partial<PromoteRequest>): Promise<PromoteAnswer> {
    return this.connection.request(['pipelines'], {
      method: 'POST',
      body: asked
    });
  }

  pipeline(id: string): Promise<PipelineDetails> {
    return this.connection.request(['pipelines', id]);
  }

  changePipeline(
    id: string,
    change: Partial<PipelineChange>
  ): Promise<Pipeline> {
    return this.connection.request(['pipelines', id], {
      method: 'PATCH',
      body: change
    });
  }

  testAlert(id: string): Promise<AlertTest> {
    return this.connection.request(['pipelines', id, 'test-alert'], {
      method: 'POST'
    });
  }

  deletePipeline(id: string): Promise<void> {
    return this.connection.request(['pipelines', id], { method: 'DELETE' });
  }

  restorePipeline(id: string): Promise<Pipeline> {
    return this.connection.request(['pipelines', id, 'restore'], {
      method: 'POST'
    });
  }

  pipelineRuns(id: string, since = 0): Promise<PipelineRunsPage> {
    return this.connection.request(['pipelines', id, 'runs'], {
      query: { since }
    });
  }

  runPipeline(
    id: string,
    asked: Partial<RunRequest> = {}
  ): Promise<PipelineRun> {
    return this.connection.request(['pipelines', id, 'runs'], {
      method: 'POST',
      body: asked
    });
  }

  backfill(
    id: string,
    asked: Partial<BackfillRequest> & Pick<BackfillRequest, 'start' | 'end'>
  ): Promise<BackfillAnswer> {
    return this.connection.request(['pipelines', id, 'backfill'], {
      method: 'POST',
      body: asked
    });
  }

  version(id: string, number: number): Promise<Version> {
    return this.connection.request([
      'pipelines',
      id,
      'versions',
      String(number)
    ]);
  }

  versionDiff(id: string, older: number, newer: number): Promise<VersionDiff> {
    return this.connection.request(['pipelines', id, 'diff'], {
      query: { older, newer }
    });
  }

  addTrigger(
    id: string,
    asked: Partial<ScheduleRequest>
  ): Promise<ScheduleAnswer> {
    return this.connection.request(['pipelines', id, 'triggers'], {
      method: 'POST',
      body: asked
    });
  }

  changeTrigger(id: string, change: Partial<TriggerChange>): Promise<Trigger> {
    return this.connection.request(['triggers', id], {
      method: 'PATCH',
      body: change
    });
  }

  deleteTrigger(id: string): Promise<void> {
    return this.connection.request(['triggers', id], { method: 'DELETE' });
  }

  /** Where others fire a trigger of kind `http`; they send its token. */
  triggerAddress(id: string): string {
    return URLExt.join(
      this.connection.settings.baseUrl,
      'mlops',
      'triggers',
      encodeURIComponent(id),
      'call'
    );
  }

  pipelineRun(id: string): Promise<PipelineRunDetails> {
    return this.connection.request(['pipeline-runs', id]);
  }

  stopPipelineRun(id: string): Promise<PipelineRun> {
    return this.connection.request(['pipeline-runs', id, 'stop'], {
      method: 'POST'
    });
  }

  /** Repeat what failed, or all from a step on. */
  retryPipelineRun(id: string, step = ''): Promise<PipelineRun> {
    return this.connection.request(['pipeline-runs', id, 'retry'], {
      method: 'POST',
      body: { step }
    });
  }

  checkCron(asked: CronRequest, signal?: AbortSignal): Promise<CronCheck> {
    return this.connection.request(['cron'], {
      method: 'POST',
      body: asked,
      ...(signal && { signal })
    });
  }

  checkPipelineText(
    asked: PipelineText,
    signal?: AbortSignal
  ): Promise<PipelineCheck> {
    return this.connection.request(['pipeline-text', 'check'], {
      method: 'POST',
      body: asked,
      ...(signal && { signal })
    });
  }

  /** A pipeline's text with one step more. */
  addStep(
    asked: PipelineText & { name: string; step: AskedStep }
  ): Promise<TextAnswer> {
    return this.connection.request(['pipeline-text', 'step'], {
      method: 'POST',
      body: asked
    });
  }
}
