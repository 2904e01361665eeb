import type { Event } from '@jupyterlab/services';
import { DisposableDelegate, type IDisposable } from '@lumino/disposable';
import { Poll } from '@lumino/polling';
import { Signal, type ISignal } from '@lumino/signaling';
import type { Client } from './api/client';
import { ApiError } from './api/request';
import type { Run, RunsPage, Status, Sweep } from './api/schema';
import {
  CHANGES_SCHEMA,
  isOver,
  type IMlopsModel,
  type IModelChange,
  type SweepShelf
} from './tokens';

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
  watchers = 0;
}

/** See `IMlopsModel`. */
export class MlopsModel implements IMlopsModel {
  constructor(options: IModelOptions) {
    this.client = options.client;
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
      .filter(sweep => shelfOf(sweep) === shelf)
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
    this._stale.add(sweepId);
    void this.refresh();
    return new DisposableDelegate(() => {
      runs.watchers -= 1;
      if (runs.watchers === 0) {
        this._runs.delete(sweepId);
      }
    });
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
    const change = {
      sweeps: new Set<string>(),
      runs: new Set<string>(),
      ended: new Set<string>(),
      status: !this._ready || this._error !== ''
    };
    try {
      await this._fetchSweeps(change.sweeps, change.ended);
      for (const id of change.sweeps) {
        this._stale.add(id);
      }
      await Promise.all(
        [...this._stale].map(id => this._fetchRuns(id, change.runs))
      );
      this._ready = true;
      this._error = '';
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      change.status = this._error !== message;
      this._error = message;
    }
    if (
      !this._disposed &&
      (change.status || change.sweeps.size > 0 || change.runs.size > 0)
    ) {
      this._changed.emit(change);
    }
  }

  private async _fetchSweeps(
    changed: Set<string>,
    ended: Set<string>
  ): Promise<void> {
    let page = await this.client.changes(this._revision);
    if (page.revision < this._revision) {
      // another store stands behind the server now: forget what the old one said
      for (const id of this._sweeps.keys()) {
        changed.add(id);
      }
      this._sweeps.clear();
      for (const [id, runs] of this._runs) {
        runs.byId.clear();
        runs.sorted = [];
        runs.revision = 0;
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
    for (const sweep of page.sweeps) {
      const before = this._sweeps.get(sweep.id);
      if (before?.revision === sweep.revision) {
        continue;
      }
      this._sweeps.set(sweep.id, sweep);
      changed.add(sweep.id);
      if (before && !isOver(before.state) && isOver(sweep.state)) {
        ended.add(sweep.id);
      }
    }
  }

  private async _fetchRuns(
    sweepId: string,
    changed: Set<string>
  ): Promise<void> {
    const runs = this._runs.get(sweepId);
    if (!runs) {
      this._stale.delete(sweepId);
      return;
    }
    let page: RunsPage;
    try {
      page = await this.client.runs(sweepId, runs.revision);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) {
        throw error;
      }
      // purged meanwhile: an empty table says it better than an error that never ends
      page = { runs: [], revision: runs.revision };
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
    changed.add(sweepId);
  }

  private async _fetchStatus(): Promise<void> {
    const status = await this.client.status();
    if (
      !this._disposed &&
      JSON.stringify(status) !== JSON.stringify(this._status)
    ) {
      this._status = status;
      this._changed.emit({
        sweeps: new Set(),
        runs: new Set(),
        ended: new Set(),
        status: true
      });
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
