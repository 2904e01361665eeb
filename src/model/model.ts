import type { Event } from '@jupyterlab/services';
import { DisposableDelegate, type IDisposable } from '@lumino/disposable';
import { Poll } from '@lumino/polling';
import { Signal, type ISignal } from '@lumino/signaling';
import type { Client } from '../api/client';
import { ApiError } from '../api/request';
import type {
  Pipeline,
  PipelineDetails,
  PipelineRun,
  PipelineRunDetails,
  Run,
  RunsPage,
  Status,
  Sweep
} from '../api/schema';
import {
  CHANGES_SCHEMA,
  type IMlopsModel,
  type IModelChange,
  type SweepShelf
} from '.';
import { newChange, PipelineModel, type IChange } from './pipelines';
import { isOver } from './states';

/** The part of `serviceManager.events` that is used. */
export type EventStream = ISignal<unknown, Event.Emission>;

export interface IModelOptions {
  client: Client;
  /** Jupyter's event bus; without one the model polls. */
  events?: EventStream;
  /** Milliseconds between fetches while events announce every change. */
  calm?: number;
  /** Milliseconds between fetches while nothing tells that events arrive. */
  eager?: number;
}

class Runs {
  readonly byId = new Map<string, Run>();
  sorted: readonly Run[] = [];
  revision = 0;
  loaded = false;
  /** Whether there is no such sweep. */
  missing = false;
  watchers = 0;
}

/** See `IMlopsModel`. */
export class MlopsModel implements IMlopsModel {
  constructor(options: IModelOptions) {
    this.client = options.client;
    this._pipelines = new PipelineModel(
      options.client,
      () => void this.refresh()
    );
    this._events = options.events;
    this._calm = options.calm ?? 30_000;
    this._eager = options.eager ?? 3_000;
    this._events?.connect(this._onEvent, this);
    this._poll = new Poll({
      auto: false,
      name: 'jupyter-mlops:changes',
      factory: () => this._pollOnce(),
      frequency: { interval: this._eager, backoff: false },
      standby: 'when-hidden'
    });
    this._statusPoll = new Poll({
      auto: false,
      name: 'jupyter-mlops:status',
      factory: () => this._fetchStatus(),
      frequency: { interval: 4_000, backoff: true, max: 30_000 },
      standby: 'when-hidden'
    });
  }

  readonly client: Client;

  get changed(): ISignal<IMlopsModel, IModelChange> {
    return this._changed;
  }

  get ready(): boolean {
    return this._ready;
  }

  get error(): string {
    return this._error;
  }

  get status(): Status | null {
    return this._status;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    this._events?.disconnect(this._onEvent, this);
    this._poll.dispose();
    this._statusPoll.dispose();
    Signal.clearData(this);
  }

  /** Fetch for the first time and keep current from then on. */
  async start(): Promise<void> {
    await this.refresh();
    await this._poll.start();
  }

  sweeps(shelf: SweepShelf = 'current'): readonly Sweep[] {
    return [...this._sweeps.values()]
      .filter(sweep => !sweep.pipeline_run && shelfOf(sweep) === shelf)
      .sort((a, b) => (a.created_at < b.created_at ? 1 : -1));
  }

  sweep(id: string): Sweep | undefined {
    return this._sweeps.get(id);
  }

  runs(sweepId: string): readonly Run[] {
    return this._runs.get(sweepId)?.sorted ?? [];
  }

  runsLoaded(sweepId: string): boolean {
    return this._runs.get(sweepId)?.loaded ?? false;
  }

  run(id: string): Run | undefined {
    for (const runs of this._runs.values()) {
      const run = runs.byId.get(id);
      if (run) {
        return run;
      }
    }
    return undefined;
  }

  watchRuns(sweepId: string): IDisposable {
    const runs = this._runs.get(sweepId) ?? new Runs();
    this._runs.set(sweepId, runs);
    runs.watchers += 1;
    runs.missing = false;
    this._stale.add(sweepId);
    void this.refresh();
    return new DisposableDelegate(() => {
      runs.watchers -= 1;
      if (runs.watchers === 0) {
        this._runs.delete(sweepId);
      }
    });
  }

  pipelines(deleted = false): readonly Pipeline[] {
    return this._pipelines.pipelines(deleted);
  }

  pipeline(id: string): Pipeline | undefined {
    return this._pipelines.pipeline(id);
  }

  pipelineDetails(id: string): PipelineDetails | null {
    return this._pipelines.details(id);
  }

  pipelineRuns(id: string): readonly PipelineRun[] {
    return this._pipelines.runs(id);
  }

  pipelineRun(runId: string): PipelineRunDetails | null {
    return this._pipelines.run(runId);
  }

  isMissing(id: string): boolean {
    return this._pipelines.isMissing(id);
  }

  watchPipeline(id: string): IDisposable {
    return this._pipelines.watch(id);
  }

  watchPipelineRun(runId: string): IDisposable {
    return this._pipelines.watchRun(runId);
  }

  watchStatus(): IDisposable {
    this._statusWatchers += 1;
    if (this._statusWatchers === 1) {
      void this._statusPoll.refresh();
    }
    return new DisposableDelegate(() => {
      this._statusWatchers -= 1;
      if (this._statusWatchers === 0 && !this._disposed) {
        void this._statusPoll.stop();
      }
    });
  }

  refresh(): Promise<void> {
    // whoever asks while a fetch is under way gets one that began after the asking
    if (this._fetching) {
      this._next ??= this._fetching.then(() => {
        this._next = null;
        return this._begin();
      });
      return this._next;
    }
    return this._begin();
  }

  private _begin(): Promise<void> {
    this._fetching = this._fetch().finally(() => {
      this._fetching = null;
    });
    return this._fetching;
  }

  private async _fetch(): Promise<void> {
    if (this._disposed) {
      return;
    }
    const change = newChange();
    change.status = !this._ready || this._error !== '';
    try {
      await this._fetchChanges(change);
      for (const id of change.sweeps) {
        this._stale.add(id);
      }
      await Promise.all([
        ...[...this._stale].map(id => this._fetchRuns(id, change)),
        this._pipelines.fetch(change)
      ]);
      this._ready = true;
      this._error = '';
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      change.status = this._error !== message;
      this._error = message;
    }
    if (
      !this._disposed &&
      (change.status ||
        change.sweeps.size > 0 ||
        change.runs.size > 0 ||
        change.pipelines.size > 0)
    ) {
      this._changed.emit(change);
    }
  }

  private async _fetchChanges(change: IChange): Promise<void> {
    let page = await this.client.changes(this._revision);
    if (page.revision < this._revision) {
      // another store stands behind the server now: forget what the old one said
      for (const id of this._sweeps.keys()) {
        change.sweeps.add(id);
      }
      this._sweeps.clear();
      this._pipelines.forget(change);
      for (const [id, runs] of this._runs) {
        runs.byId.clear();
        runs.sorted = [];
        runs.revision = 0;
        runs.missing = false;
        // so that a table which is empty now is told, too
        runs.loaded = false;
        this._stale.add(id);
      }
      page = await this.client.changes(0);
    }
    if (page.revision !== this._revision) {
      // progress of a run leaves its sweep as it is, so each one that is watched may have some
      for (const id of this._runs.keys()) {
        this._stale.add(id);
      }
    }
    this._revision = page.revision;
    this._pipelines.take(page.pipelines, change);
    for (const sweep of page.sweeps) {
      this._take(sweep, change);
    }
  }

  private _take(sweep: Sweep, change: IChange): void {
    const before = this._sweeps.get(sweep.id);
    if (before?.revision === sweep.revision) {
      return;
    }
    this._sweeps.set(sweep.id, sweep);
    change.sweeps.add(sweep.id);
    if (
      before &&
      !sweep.pipeline_run &&
      !isOver(before.state) &&
      isOver(sweep.state)
    ) {
      change.ended.add(sweep.id);
    }
  }

  private async _fetchRuns(sweepId: string, change: IChange): Promise<void> {
    const runs = this._runs.get(sweepId);
    if (!runs) {
      this._stale.delete(sweepId);
      return;
    }
    let page: RunsPage = { runs: [], revision: runs.revision };
    try {
      await this._fetchApart(sweepId, change);
      page = await this.client.runs(sweepId, runs.revision);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) {
        throw error;
      }
      // purged meanwhile: an empty table says it better than an error that never ends
      runs.missing = !this._sweeps.has(sweepId);
    }
    this._stale.delete(sweepId);
    runs.revision = page.revision;
    if (page.runs.length === 0 && runs.loaded) {
      return;
    }
    for (const run of page.runs) {
      runs.byId.set(run.id, run);
    }
    runs.sorted = [...runs.byId.values()].sort((a, b) => a.index - b.index);
    runs.loaded = true;
    change.runs.add(sweepId);
  }

  /** A sweep that executes a pipeline's step is not among the changes, so it is fetched by itself. */
  private async _fetchApart(sweepId: string, change: IChange): Promise<void> {
    const sweep = this._sweeps.get(sweepId);
    if (sweep && (!sweep.pipeline_run || isOver(sweep.state))) {
      return;
    }
    if (!this._runs.get(sweepId)?.missing) {
      this._take(await this.client.sweep(sweepId), change);
    }
  }

  private async _fetchStatus(): Promise<void> {
    const status = await this.client.status();
    if (
      !this._disposed &&
      JSON.stringify(status) !== JSON.stringify(this._status)
    ) {
      const before = this._status?.service;
      this._status = status;
      if (before?.pid !== status.service.pid) {
        // which process fires pipelines is in their details
        this._pipelines.lookAgain();
      }
      this._changed.emit({ ...newChange(), status: true });
    }
  }

  private async _pollOnce(): Promise<void> {
    const known = this._revision;
    const announced = this._announced;
    await this.refresh();
    // a change that no event announced: the bus is silent, so look more often until it speaks
    if (this._revision > known && this._announced === announced) {
      this._setInterval(this._eager);
    }
  }

  private _onEvent(_: unknown, event: Event.Emission): void {
    if (event.schema_id !== CHANGES_SCHEMA) {
      return;
    }
    const revision = Number(event['revision']);
    this._announced += 1;
    this._setInterval(this._calm);
    // smaller than what is known: either late, or the store was replaced; the fetch tells which
    if (revision !== this._revision) {
      void this.refresh();
    }
  }

  private _setInterval(interval: number): void {
    if (this._poll.frequency.interval !== interval) {
      this._poll.frequency = { ...this._poll.frequency, interval };
    }
  }

  private readonly _pipelines: PipelineModel;
  private readonly _events: EventStream | undefined;
  private readonly _calm: number;
  private readonly _eager: number;
  private readonly _poll: Poll<void>;
  private readonly _statusPoll: Poll<void>;
  private readonly _changed = new Signal<this, IModelChange>(this);
  private readonly _sweeps = new Map<string, Sweep>();
  private readonly _runs = new Map<string, Runs>();
  private readonly _stale = new Set<string>();
  private _status: Status | null = null;
  private _statusWatchers = 0;
  private _revision = 0;
  private _announced = 0;
  private _ready = false;
  private _error = '';
  private _fetching: Promise<void> | null = null;
  private _next: Promise<void> | null = null;
  private _disposed = false;
}

function shelfOf(sweep: Sweep): SweepShelf {
  return sweep.deleted_at ? 'deleted' : sweep.archived ? 'archived' : 'current';
}
