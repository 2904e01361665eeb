/** The model as the domains know it: views read it, and act by executing commands. */
import { Token } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import type { Client } from '../api/client';
import type {
  Pipeline,
  PipelineDetails,
  PipelineRun,
  PipelineRunDetails,
  Run,
  RunMark,
  RunSummary,
  Status,
  Sweep
} from '../api/schema';
import type { IWatch } from './resource';
import type { Selection } from './selection';

/** What a change touched; listeners look up the present values in the model. */
export interface IModelChange {
  /** Sweeps that are new or different, deleted ones too. */
  readonly sweeps: ReadonlySet<string>;
  /** Sweeps of which at least one watched run is new or different. */
  readonly runs: ReadonlySet<string>;
  /** Sweeps that were live when last seen and are over now. */
  readonly ended: ReadonlySet<string>;
  /** Pipelines, and watched runs of pipelines, that are new or different, deleted ones too. */
  readonly pipelines: ReadonlySet<string>;
  /** Runs of pipelines that ended since they were last looked at. */
  readonly pipelinesEnded: readonly IPipelineEnd[];
  /** Whether `status`, `ready` or `error` is different. */
  readonly status: boolean;
}

/** A run of a pipeline that is over. */
export interface IPipelineEnd {
  /** Id of the pipeline. */
  readonly pipeline: string;
  readonly run: RunMark;
}

export type SweepShelf = 'current' | 'archived' | 'deleted';

/**
 * All that this page knows of sweeps, runs, pipelines and the service, kept current.
 *
 * Records are immutable: a changed sweep, run or pipeline is a new object, so `===` tells whether to draw it
 * again. There is one signal, emitted at most once a fetch. The model fetches when the server's event
 * bus announces a revision, and by itself every few seconds where no events arrive.
 *
 * Runs are kept only of sweeps that a view watches: it calls `const watch = model.watchRuns(id)`, reads
 * `model.runs(id)` on each `changed` whose `change.runs` has the id, and disposes the watch with itself. Only what
 * a view in sight watches is fetched (`watch.active`); the rest is marked stale. Many runs arrive page by page, with a
 * `changed` each. Before the first page has arrived `model.runsLoaded(id)` is false; `watch.missing` and `watch.error` say why there is none. A sweep that executes a
 * pipeline's step is not among `sweeps()`; while it is watched it is `model.sweep(id)`.
 *
 * All pipelines are known. Triggers, versions and runs are kept only of those that a view watches
 * (`watchPipeline`), steps only of watched runs (`watchPipelineRun`).
 *
 * To act, execute a command (`CommandIDs`); to ask for what the model does not keep, use `client`.
 * After a write through `client`, call `refresh()` so that this page need not wait for the event.
 */
export interface IMlopsModel extends IDisposable {
  /** One method per route. */
  readonly client: Client;
  /** The only signal. */
  readonly changed: ISignal<IMlopsModel, IModelChange>;
  /** Whether the sweeps have been fetched once. */
  readonly ready: boolean;
  /** Why the last fetch failed; empty while all is well. */
  readonly error: string;
  /** Service, targets, store; null until somebody who watches it got it once. */
  readonly status: Status | null;
  /** Sweeps on a shelf, newest first. */
  sweeps(shelf?: SweepShelf): readonly Sweep[];
  /** One sweep, whatever its shelf; of a pipeline's step only while it is watched. */
  sweep(id: string): Sweep | undefined;
  /** Known runs of a watched sweep, by index. */
  runs(sweepId: string): readonly RunSummary[];
  /** Whether the runs of a watched sweep have been fetched once. */
  runsLoaded(sweepId: string): boolean;
  /** One run of any watched sweep, as a table shows it. */
  run(id: string): RunSummary | undefined;
  /** All that is known of a watched run; null before it was fetched. */
  runDetails(id: string): Run | null;
  /** Keep the details of a run current until disposed; they change with the runs of its sweep. */
  watchRun(id: string): IWatch;
  /** Which of its runs are selected, in every view; the same object for as long as the page lives. */
  selection(sweepId: string): Selection;
  /** Keep the runs of a sweep current until disposed. */
  watchRuns(sweepId: string): IWatch;
  /** Pipelines by name; the deleted ones where these are asked for. */
  pipelines(deleted?: boolean): readonly Pipeline[];
  /** One pipeline, deleted or not. */
  pipeline(id: string): Pipeline | undefined;
  /** Triggers, versions and graph of a watched pipeline. */
  pipelineDetails(id: string): PipelineDetails | null;
  /** Known runs of a watched pipeline, newest first. */
  pipelineRuns(id: string): readonly PipelineRun[];
  /** A watched run of a pipeline, with its steps. */
  pipelineRun(runId: string): PipelineRunDetails | null;
  /** Keep a pipeline's details and runs current until disposed. */
  watchPipeline(id: string): IWatch;
  /** Keep a pipeline run's steps current until disposed. */
  watchPipelineRun(runId: string): IWatch;
  /** Keep `status` current until disposed. */
  watchStatus(): IWatch;
  /** Fetch what is newer now. Never rejects: see `error`. */
  refresh(): Promise<void>;
}

export const IMlopsModel = new Token<IMlopsModel>(
  'jupyter-mlops:IMlopsModel',
  'Sweeps, their runs, pipelines and the service behind them, kept current.'
);
