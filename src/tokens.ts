/**
 * What the parts of this extension know of each other: the model and the command ids.
 *
 * Views read the model and execute commands by id; they import neither each other nor commands.ts.
 */
import { Token } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import type { Client } from './api/client';
import type { Run, RunState, Status, Sweep, SweepState } from './api/schema';

/** What a change touched; listeners look up the present values in the model. */
export interface IModelChange {
  /** Sweeps that are new or different, deleted ones too. */
  readonly sweeps: ReadonlySet<string>;
  /** Sweeps of which at least one watched run is new or different. */
  readonly runs: ReadonlySet<string>;
  /** Sweeps that were live when last seen and are over now. */
  readonly ended: ReadonlySet<string>;
  /** Whether `status`, `ready` or `error` is different. */
  readonly status: boolean;
}

export type SweepShelf = 'current' | 'archived' | 'deleted';

/**
 * All that this page knows of sweeps, runs and the service, kept current.
 *
 * Records are immutable: a changed sweep or run is a new object, so `===` tells whether to draw it
 * again. There is one signal, emitted at most once a fetch. The model fetches when the server's event
 * bus announces a revision, and by itself every few seconds where no events arrive.
 *
 * Runs are kept only for sweeps that somebody watches: a view of a sweep calls
 * `const watch = model.watchRuns(id)` when shown, reads `model.runs(id)` on each `changed` whose
 * `change.runs` has the id, and disposes the watch with itself. While the first page is on its way
 * `model.runsLoaded(id)` is false.
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
  /** One sweep, whatever its shelf. */
  sweep(id: string): Sweep | undefined;
  /** Known runs of a watched sweep, by index. */
  runs(sweepId: string): readonly Run[];
  /** Whether the runs of a watched sweep have been fetched once. */
  runsLoaded(sweepId: string): boolean;
  /** One run of any watched sweep. */
  run(id: string): Run | undefined;
  /** Keep the runs of a sweep current until disposed. */
  watchRuns(sweepId: string): IDisposable;
  /** Keep `status` current until disposed. */
  watchStatus(): IDisposable;
  /** Fetch what is newer now. Never rejects: see `error`. */
  refresh(): Promise<void>;
}

export const IMlopsModel = new Token<IMlopsModel>(
  'jupyter-mlops:IMlopsModel',
  'Sweeps, their runs and the service behind them, kept current.'
);

/** Revisions of the store, on Jupyter's event bus. */
export const CHANGES_SCHEMA =
  'https://events.jupyter.org/jupyter_mlops/changes/v1';

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
  /** Args: `id` (of the run). */
  export const stopRun = 'mlops:stop-run';
  /** Args: `experimentId?`, `runId?`. */
  export const openMlflow = 'mlops:open-mlflow';
  export const showPanel = 'mlops:show-panel';
  export const showServiceLog = 'mlops:show-service-log';
  /** Tag the active cell of the current notebook as its parameters. */
  export const tagParameters = 'mlops:tag-parameters';
}

/** CSS class of everything that is a sweep and has its context menu; carries `data-sweep-id`. */
export const SWEEP_CLASS = 'jp-MlopsSweepItem';

const OVER: ReadonlySet<SweepState | RunState> = new Set([
  'succeeded',
  'failed',
  'stopped'
] as const);

/** Whether a run or sweep in this state is over. */
export function isOver(state: SweepState | RunState): boolean {
  return OVER.has(state);
}

/** Runs of a sweep that are over. */
export function finishedRuns(sweep: Sweep): number {
  const { succeeded = 0, failed = 0, stopped = 0 } = sweep.counts;
  return succeeded + failed + stopped;
}
