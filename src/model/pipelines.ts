/** What the model knows of pipelines; it fetches nothing by itself, but when the model does. */
import { DisposableDelegate, type IDisposable } from '@lumino/disposable';
import type { Client } from '../api/client';
import { ApiError } from '../api/request';
import type {
  Pipeline,
  PipelineDetails,
  PipelineRun,
  PipelineRunDetails,
  RunMark
} from '../api/schema';
import type { IModelChange, IPipelineEnd } from '.';
import { isOver } from './states';

/** A change while it is being put together. */
export interface IChange extends IModelChange {
  readonly sweeps: Set<string>;
  readonly runs: Set<string>;
  readonly ended: Set<string>;
  readonly pipelines: Set<string>;
  readonly pipelinesEnded: IPipelineEnd[];
  status: boolean;
}

/** A change that touched nothing yet. */
export function newChange(): IChange {
  return {
    sweeps: new Set(),
    runs: new Set(),
    ended: new Set(),
    pipelines: new Set(),
    pipelinesEnded: [],
    status: false
  };
}

/** Something that is kept for as long as somebody watches it. */
class Watched<T> {
  watchers = 0;
  stale = true;
  missing = false;
  details: T | null = null;
}

class WatchedPipeline extends Watched<PipelineDetails> {
  readonly byId = new Map<string, PipelineRun>();
  sorted: readonly PipelineRun[] = [];
  revision = 0;
}

/** The pipelines' part of the model; see `IMlopsModel`. */
export class PipelineModel {
  constructor(
    private readonly _client: Client,
    private readonly _refresh: () => void
  ) {}

  pipelines(deleted: boolean): readonly Pipeline[] {
    return [...this._pipelines.values()]
      .filter(pipeline => !!pipeline.deleted_at === deleted)
      .sort((a, b) => a.name.localeCompare(b.name) || (a.id < b.id ? -1 : 1));
  }

  pipeline(id: string): Pipeline | undefined {
    return this._pipelines.get(id);
  }

  details(id: string): PipelineDetails | null {
    return this._watched.get(id)?.details ?? null;
  }

  runs(id: string): readonly PipelineRun[] {
    return this._watched.get(id)?.sorted ?? [];
  }

  run(runId: string): PipelineRunDetails | null {
    return this._watchedRuns.get(runId)?.details ?? null;
  }

  isMissing(id: string): boolean {
    const watched = this._watched.get(id) ?? this._watchedRuns.get(id);
    return watched?.missing ?? false;
  }

  watch(id: string): IDisposable {
    return this._watch(this._watched, id, () => new WatchedPipeline());
  }

  watchRun(runId: string): IDisposable {
    return this._watch(this._watchedRuns, runId, () => new Watched());
  }

  /** Another store stands behind the server now. */
  forget(change: IChange): void {
    for (const id of this._pipelines.keys()) {
      change.pipelines.add(id);
    }
    this._pipelines.clear();
    for (const id of this._watched.keys()) {
      const watched = new WatchedPipeline();
      watched.watchers = this._watched.get(id)?.watchers ?? 0;
      this._watched.set(id, watched);
    }
    for (const watched of this._watchedRuns.values()) {
      watched.details = null;
      watched.missing = false;
      watched.stale = true;
    }
  }

  /** What is watched may be different without a new revision. */
  lookAgain(): void {
    for (const watched of this._watched.values()) {
      watched.stale = true;
    }
    if (this._watched.size > 0) {
      this._refresh();
    }
  }

  /** Take what is new; what is watched of it is fetched next. */
  take(pipelines: readonly Pipeline[], change: IChange): void {
    for (const pipeline of pipelines) {
      const { id } = pipeline;
      const before = this._pipelines.get(id);
      if (before?.revision === pipeline.revision) {
        continue;
      }
      this._pipelines.set(id, pipeline);
      change.pipelines.add(id);
      if (before) {
        change.pipelinesEnded.push(
          ...endedSince(before.recent, pipeline.recent).map(run => ({
            pipeline: id,
            run
          }))
        );
      }
      const watched = this._watched.get(id);
      if (watched) {
        watched.stale = true;
      }
      for (const run of this._watchedRuns.values()) {
        if (run.details?.run.pipeline_id === id) {
          run.stale = true;
        }
      }
    }
  }

  /** Fetch what is watched and not known as it is now. */
  async fetch(change: IChange): Promise<void> {
    await Promise.all([
      ...[...this._watched].map(([id, watched]) =>
        this._fetchOne(id, watched, change, () =>
          this._fetchPipeline(id, watched)
        )
      ),
      ...[...this._watchedRuns].map(([id, watched]) =>
        this._fetchOne(id, watched, change, async () => {
          watched.details = await this._client.pipelineRun(id);
          change.pipelines.add(watched.details.run.pipeline_id);
        })
      )
    ]);
  }

  private async _fetchPipeline(
    id: string,
    watched: WatchedPipeline
  ): Promise<void> {
    const [details, page] = await Promise.all([
      this._client.pipeline(id),
      this._client.pipelineRuns(id, watched.revision)
    ]);
    watched.details = details;
    watched.revision = page.revision;
    if (page.runs.length > 0) {
      for (const run of page.runs) {
        watched.byId.set(run.id, run);
      }
      watched.sorted = [...watched.byId.values()].sort(
        (a, b) => b.number - a.number
      );
    }
  }

  private async _fetchOne(
    id: string,
    watched: Watched<unknown>,
    change: IChange,
    fetch: () => Promise<void>
  ): Promise<void> {
    if (!watched.stale) {
      return;
    }
    // what changes while it is on its way makes it stale again
    watched.stale = false;
    try {
      await fetch();
      watched.missing = false;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) {
        watched.stale = true;
        throw error;
      }
      watched.missing = true;
      watched.details = null;
      this._pipelines.delete(id);
    }
    change.pipelines.add(id);
  }

  private _watch<T extends Watched<unknown>>(
    all: Map<string, T>,
    id: string,
    make: () => T
  ): IDisposable {
    const watched = all.get(id) ?? make();
    all.set(id, watched);
    watched.watchers += 1;
    watched.stale = true;
    this._refresh();
    return new DisposableDelegate(() => {
      const present = all.get(id);
      if (present) {
        present.watchers -= 1;
        if (present.watchers === 0) {
          all.delete(id);
        }
      }
    });
  }

  private readonly _pipelines = new Map<string, Pipeline>();
  private readonly _watched = new Map<string, WatchedPipeline>();
  private readonly _watchedRuns = new Map<
    string,
    Watched<PipelineRunDetails>
  >();
}

/** Marks of runs that are over and were not when last seen, or that are newer than all that was seen. */
function endedSince(
  before: readonly RunMark[],
  after: readonly RunMark[]
): RunMark[] {
  const known = new Map(before.map(run => [run.id, run]));
  const newest = Math.max(0, ...before.map(({ number }) => number));
  return after.filter(run => {
    const old = known.get(run.id);
    return (
      isOver(run.state) && (old ? !isOver(old.state) : run.number > newest)
    );
  });
}
