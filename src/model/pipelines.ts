/** What the model knows of pipelines; it is fetched when the model fetches. */
import type { Client } from '../api/client';
import type {
  Pipeline,
  PipelineDetails,
  PipelineRun,
  PipelineRunDetails,
  RunMark
} from '../api/schema';
import type { IModelChange, IPipelineEnd } from '.';
import { Records, WatchedSet, type IWatch } from './resource';
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

interface IPipelineAndRuns {
  details: PipelineDetails;
  runs: Records<PipelineRun>;
}

const newestFirst = (a: PipelineRun, b: PipelineRun) => b.number - a.number;

/** The pipelines' part of the model; see `IMlopsModel`. */
export class PipelineModel {
  constructor(
    private readonly _client: Client,
    private readonly _wanted: () => void
  ) {
    this._watched = new WatchedSet<IPipelineAndRuns>({
      fetch: (id, known) => this._fetch(id, known),
      revisionOf: ({ details }) => details.pipeline.revision,
      wanted: _wanted
    });
    this._watchedRuns = new WatchedSet<PipelineRunDetails>({
      fetch: id => this._client.pipelineRun(id),
      revisionOf: ({ run }) => run.revision,
      wanted: _wanted
    });
  }

  pipelines(deleted: boolean): readonly Pipeline[] {
    return [...this._pipelines.values()]
      .filter(pipeline => !!pipeline.deleted_at === deleted)
      .sort((a, b) => a.name.localeCompare(b.name) || (a.id < b.id ? -1 : 1));
  }

  pipeline(id: string): Pipeline | undefined {
    return this._pipelines.get(id);
  }

  details(id: string): PipelineDetails | null {
    return this._watched.get(id)?.value?.details ?? null;
  }

  runs(id: string): readonly PipelineRun[] {
    return this._watched.get(id)?.value?.runs.sorted ?? [];
  }

  run(runId: string): PipelineRunDetails | null {
    return this._watchedRuns.get(runId)?.value ?? null;
  }

  watch(id: string): IWatch {
    return this._watched.watch(id);
  }

  watchRun(runId: string): IWatch {
    return this._watchedRuns.watch(runId);
  }

  /** Another store stands behind the server now. */
  forget(change: IChange): void {
    for (const id of [
      ...this._pipelines.keys(),
      ...[...this._watched].map(([id]) => id)
    ]) {
      change.pipelines.add(id);
    }
    this._pipelines.clear();
    this._watched.reset();
    this._watchedRuns.reset();
  }

  /** What is watched may be different without a new revision. */
  lookAgain(): void {
    let active = false;
    for (const [, watched] of this._watched) {
      watched.stale = true;
      active ||= watched.isActive;
    }
    if (active) {
      this._wanted();
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
      for (const [, run] of this._watchedRuns) {
        if (run.value?.run.pipeline_id === id) {
          run.stale = true;
        }
      }
    }
  }

  /** Fetch what is stale and in sight; answers the ids of pipelines and runs that are different. */
  async update(): Promise<Set<string>> {
    const changed = new Set<string>();
    const runs = new Map(
      [...this._watchedRuns].map(([id, { value }]) => [id, value])
    );
    const [pipelines, different] = await Promise.all([
      this._watched.update(),
      this._watchedRuns.update()
    ]);
    for (const id of pipelines) {
      changed.add(id);
      if (this._watched.get(id)?.missing) {
        this._pipelines.delete(id);
      }
    }
    for (const id of different) {
      changed.add(id);
      const value = this._watchedRuns.get(id)?.value ?? runs.get(id);
      if (value) {
        changed.add(value.run.pipeline_id);
      }
    }
    return changed;
  }

  private async _fetch(
    id: string,
    known: IPipelineAndRuns | null
  ): Promise<IPipelineAndRuns> {
    const before = known?.runs ?? new Records<PipelineRun>(newestFirst);
    const [details, page] = await Promise.all([
      this._client.pipeline(id),
      this._client.pipelineRuns(id, before.revision)
    ]);
    return { details, runs: before.with(page.runs, page.revision) };
  }

  private readonly _pipelines = new Map<string, Pipeline>();
  private readonly _watched: WatchedSet<IPipelineAndRuns>;
  private readonly _watchedRuns: WatchedSet<PipelineRunDetails>;
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
