import { Poll } from '@lumino/polling';
import { Signal, type ISignal } from '@lumino/signaling';
import type { Client } from '../api/client';
import type {
  Pipeline,
  PipelineDetails,
  PipelineRun,
  PipelineRunDetails,
  Run,
  RunSummary,
  Status,
  Sweep
} from '../api/schema';
import type { IMlopsModel, IModelChange, SweepShelf } from '.';
import { Changes, type EventStream } from './changes';
import { newChange, PipelineModel } from './pipelines';
import { Records, Watched, WatchedSet, type IWatch } from './resource';
import { Selection } from './selection';
import { isOver } from './states';

export interface IModelOptions {
  client: Client;
  /** Jupyter's event bus; without one the model polls. */
  events?: EventStream;
  /** Milliseconds between fetches while events announce every change. */
  calm?: number;
  /** Milliseconds between fetches while nothing tells that events arrive. */
  eager?: number;
}

const byIndex = (a: RunSummary, b: RunSummary) => a.index - b.index;

/** See `IMlopsModel`. */
export class MlopsModel implements IMlopsModel {
  constructor(options: IModelOptions) {
    this.client = options.client;
    const wanted = () => void this.refresh();
    this._pipelines = new PipelineModel(options.client, wanted);
    this._runs = new WatchedSet<Records<RunSummary>>({
      fetch: (id, known) => this._fetchRuns(id, known),
      revisionOf: runs => runs.revision,
      wanted
    });
    this._details = new WatchedSet<Run>({
      fetch: id => options.client.run(id),
      revisionOf: run => run.revision,
      wanted
    });
    this._changes = new Changes({
      events: options.events,
      calm: options.calm ?? 30_000,
      eager: options.eager ?? 3_000,
      revision: () => this._revision,
      fetch: () => this.refresh()
    });
    this._status = new Watched<Status>({
      fetch: known => this._fetchStatus(known),
      revisionOf: () => 0,
      wanted: () => void this._statusPoll.refresh()
    });
    this._statusPoll = new Poll({
      auto: false,
      name: 'jupyter-mlops:status',
      factory: () => this._pollStatus(),
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
    return this._status.value;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    this._changes.dispose();
    this._statusPoll.dispose();
    Signal.clearData(this);
  }

  /** Fetch for the first time and keep current from then on. */
  async start(): Promise<void> {
    await this.refresh();
    await this._changes.start();
  }

  sweeps(shelf: SweepShelf = 'current'): readonly Sweep[] {
    return [...this._sweeps.values()]
      .filter(sweep => !sweep.pipeline_run && shelfOf(sweep) === shelf)
      .sort((a, b) => (a.created_at < b.created_at ? 1 : -1));
  }

  sweep(id: string): Sweep | undefined {
    return this._sweeps.get(id);
  }

  runs(sweepId: string): readonly RunSummary[] {
    return this._runs.get(sweepId)?.value?.sorted ?? [];
  }

  runsLoaded(sweepId: string): boolean {
    const watched = this._runs.get(sweepId);
    return !!watched && (watched.value !== null || watched.missing);
  }

  run(id: string): RunSummary | undefined {
    for (const [, { value }] of this._runs) {
      const run = value?.byId.get(id);
      if (run) {
        return run;
      }
    }
    return undefined;
  }

  watchRuns(sweepId: string): IWatch {
    return this._runs.watch(sweepId);
  }

  runDetails(id: string): Run | null {
    return this._details.get(id)?.value ?? null;
  }

  watchRun(id: string): IWatch {
    return this._details.watch(id);
  }

  selection(sweepId: string): Selection {
    const selection = this._selections.get(sweepId) ?? new Selection();
    this._selections.set(sweepId, selection);
    return selection;
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

  watchPipeline(id: string): IWatch {
    return this._pipelines.watch(id);
  }

  watchPipelineRun(runId: string): IWatch {
    return this._pipelines.watchRun(runId);
  }

  watchStatus(): IWatch {
    return this._status.watch();
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
    const before = this._error;
    try {
      await this._fetchChanges();
      this._change.status ||= !this._ready;
      this._ready = true;
      this._error = '';
    } catch (error) {
      this._error = error instanceof Error ? error.message : String(error);
    }
    this._change.status ||= this._error !== before;
    if (this._error === '') {
      const [runs, pipelines] = await Promise.all([
        this._runs.update(),
        this._pipelines.update()
      ]);
      for (const id of runs) {
        this._change.runs.add(id);
      }
      await this._updateDetails();
      for (const id of pipelines) {
        this._change.pipelines.add(id);
      }
    }
    this._emit();
    this._goOn();
  }

  /** Fetch the details of watched runs that are newer than what is known of them. */
  private async _updateDetails(): Promise<void> {
    for (const [id, watched] of this._details) {
      const { value } = watched;
      watched.stale ||=
        value !== null && (this.run(id)?.revision ?? 0) > value.revision;
    }
    for (const id of await this._details.update()) {
      const sweepId = this.runDetails(id)?.sweep_id ?? this.run(id)?.sweep_id;
      if (sweepId) {
        this._change.runs.add(sweepId);
      }
    }
  }

  /** Fetch the next page of runs, after those so far were told of. */
  private _goOn(): void {
    let wanted = false;
    for (const [, watched] of this._runs) {
      if (watched.value?.cursor) {
        watched.stale = true;
        wanted ||= watched.isActive && !watched.error;
      }
    }
    if (wanted) {
      void this.refresh();
    }
  }

  private _emit(): void {
    const change = this._change;
    if (
      !this._disposed &&
      (change.status ||
        change.sweeps.size > 0 ||
        change.runs.size > 0 ||
        change.pipelines.size > 0)
    ) {
      this._change = newChange();
      this._changed.emit(change);
    }
  }

  private async _fetchChanges(): Promise<void> {
    let page = await this.client.changes(this._revision);
    if (page.revision < this._revision) {
      this._forget();
      page = await this.client.changes(0);
    }
    const progressed = page.revision !== this._revision;
    this._revision = page.revision;
    this._pipelines.take(page.pipelines, this._change);
    for (const sweep of page.sweeps) {
      this._take(sweep);
    }
    for (const [id, watched] of this._runs) {
      const sweep = this._sweeps.get(id);
      // progress of a run leaves its sweep as it is, until the sweep is over
      if (
        this._change.sweeps.has(id) ||
        (progressed && !watched.missing && !(sweep && isOver(sweep.state)))
      ) {
        watched.stale = true;
      }
    }
  }

  /** Another store stands behind the server now: forget what the old one said. */
  private _forget(): void {
    for (const id of this._sweeps.keys()) {
      this._change.sweeps.add(id);
    }
    for (const [id] of this._runs) {
      this._change.runs.add(id);
    }
    this._sweeps.clear();
    this._runs.reset();
    this._details.reset();
    for (const selection of this._selections.values()) {
      selection.select();
    }
    this._pipelines.forget(this._change);
  }

  private _take(sweep: Sweep): void {
    const change = this._change;
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

  private async _fetchRuns(
    sweepId: string,
    known: Records<RunSummary> | null
  ): Promise<Records<RunSummary>> {
    // a sweep that executes a pipeline's step is not among the changes
    const sweep = this._sweeps.get(sweepId);
    if (!sweep || (sweep.pipeline_run && !isOver(sweep.state))) {
      this._take(await this.client.sweep(sweepId));
    }
    const before = known ?? new Records<RunSummary>(byIndex);
    const page = await this.client.runs(
      sweepId,
      before.revision,
      before.cursor?.next
    );
    return before.with(page.runs, page.revision, page.next);
  }

  private async _fetchStatus(known: Status | null): Promise<Status> {
    const status = await this.client.status();
    return JSON.stringify(status) === JSON.stringify(known) ? known! : status;
  }

  private async _pollStatus(): Promise<void> {
    const before = this._status.value;
    if (!this._status.isActive) {
      // whoever comes next starts it again
      void this._statusPoll.stop();
      return;
    }
    const different = await this._status.update();
    const { value, error } = this._status;
    // it has no revision, so it may always be different
    this._status.stale = true;
    if (different && value !== before && !this._disposed) {
      if (before?.service.pid !== value?.service.pid) {
        // which process fires pipelines is in their details
        this._pipelines.lookAgain();
      }
      this._change.status = true;
      this._emit();
    }
    if (error) {
      // so that the poll backs off
      throw new Error(error);
    }
  }

  private readonly _pipelines: PipelineModel;
  private readonly _runs: WatchedSet<Records<RunSummary>>;
  private readonly _details: WatchedSet<Run>;
  private readonly _selections = new Map<string, Selection>();
  private readonly _changes: Changes;
  private readonly _status: Watched<Status>;
  private readonly _statusPoll: Poll<void>;
  private readonly _changed = new Signal<this, IModelChange>(this);
  private readonly _sweeps = new Map<string, Sweep>();
  /** What is different and not told yet. */
  private _change = newChange();
  private _revision = 0;
  private _ready = false;
  private _error = '';
  private _fetching: Promise<void> | null = null;
  private _next: Promise<void> | null = null;
  private _disposed = false;
}

function shelfOf(sweep: Sweep): SweepShelf {
  return sweep.deleted_at ? 'deleted' : sweep.archived ? 'archived' : 'current';
}
