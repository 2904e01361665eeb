/** The part of the server in memory that answers for pipelines. */
import type {
  BackfillAnswer,
  CronCheck,
  CronRequest,
  GraphStep,
  Pipeline,
  PipelineDetails,
  PipelineRun,
  PipelineRunDetails,
  PromoteRequest,
  ServiceKeep,
  StepRun,
  Trigger,
  Version
} from '../api/schema';
import type { IAnswer, IAsked } from './answers';
import {
  markOf,
  pipelineOf,
  pipelineRunOf,
  triggerOf,
  versionOf
} from './records';

export class FakePipelines {
  constructor(private readonly _next: () => number) {}

  readonly all = new Map<string, Pipeline>();
  readonly runs = new Map<string, PipelineRun>();
  readonly steps = new Map<string, StepRun>();
  readonly triggers = new Map<string, Trigger>();
  readonly versions: Version[] = [];
  graph: GraphStep[] = [];
  keeper = {
    keeper: 'The service on this machine fires it.',
    keeper_ends: true
  };
  keep: ServiceKeep = {
    installed: false,
    possible: true,
    unit: '/home/ada/.config/systemd/user/jupyter-mlops.service',
    message: ''
  };
  backfill: BackfillAnswer = { times: [], known: 0 };
  cron: (request: CronRequest) => CronCheck = checkOf;

  put(pipeline: Partial<Pipeline> & { id: string }): Pipeline {
    const before = this.all.get(pipeline.id) ?? pipelineOf(pipeline.id);
    const after = { ...before, ...pipeline, revision: this._next() };
    this.all.set(after.id, after);
    return after;
  }

  /** A run; its pipeline gets a new revision and the run's mark. */
  putRun(run: Partial<PipelineRun> & { id: string; pipeline_id: string }) {
    const before =
      this.runs.get(run.id) ?? pipelineRunOf(run.id, run.pipeline_id);
    const after = { ...before, ...run, revision: this._next() };
    this.runs.set(after.id, after);
    const recent = (this.all.get(run.pipeline_id)?.recent ?? []).filter(
      ({ id }) => id !== run.id
    );
    this.put({ id: run.pipeline_id, recent: [...recent, markOf(after)] });
    return after;
  }

  putTrigger(trigger: Partial<Trigger> & { id: string; pipeline_id: string }) {
    const before =
      this.triggers.get(trigger.id) ??
      triggerOf(trigger.id, trigger.pipeline_id);
    const after = { ...before, ...trigger, revision: this._next() };
    this.triggers.set(after.id, after);
    const enabled = [...this.triggers.values()].filter(
      other => other.pipeline_id === trigger.pipeline_id && other.enabled
    );
    this.put({ id: trigger.pipeline_id, triggers: enabled.length });
    return after;
  }

  /** What is said to a request for pipelines; nothing to others. */
  answer(asked: IAsked, revision: number): IAnswer | undefined {
    const { method, path } = asked;
    switch (`${method} ${path}`) {
      case 'POST cron':
        return ok(this.cron(asked.body as CronRequest));
      case 'GET service/keep':
        return ok(this.keep);
      case 'POST service/keep':
        this.keep = { ...this.keep, installed: true };
        this.keeper = { ...this.keeper, keeper_ends: false };
        return ok(this.keep);
      case 'POST pipelines':
        return this._promote(asked.body as Partial<PromoteRequest>);
    }
    const [kind, id = '', action = ''] = path.split('/');
    switch (kind) {
      case 'pipelines':
        return this.all.has(id)
          ? this._pipeline(asked, id, action, revision)
          : missing(path);
      case 'triggers':
        return this.triggers.has(id)
          ? this._trigger(method, id, asked.body)
          : missing(path);
      case 'pipeline-runs': {
        const run = this.runs.get(id);
        return run ? this._run(run, action) : missing(path);
      }
      default:
        return undefined;
    }
  }

  private _promote(asked: Partial<PromoteRequest>): IAnswer {
    const id = `pipeline-${this.all.size + 1}`;
    const pipeline = this.put({ id, name: asked.name || id });
    const trigger = asked.schedule
      ? this.putTrigger({
          id: `trigger-${id}`,
          pipeline_id: id,
          ...asked.schedule
        })
      : null;
    const version = versionOf(id, 1);
    this.versions.push(version);
    return { status: 201, body: { pipeline, version, trigger } };
  }

  private _pipeline(
    { method, query, body }: IAsked,
    id: string,
    action: string,
    revision: number
  ): IAnswer {
    const since = Number(query.get('since'));
    switch (`${method} ${action}`) {
      case 'GET ':
        return ok(this._details(id));
      case 'PATCH ':
        return ok(this.put({ id, ...(body as Partial<Pipeline>) }));
      case 'DELETE ':
        this.put({
          id,
          deleted_at: '2026-11-24T10:00:00+00:00',
          next_at: null
        });
        return { status: 204 };
      case 'POST restore':
        return ok(this.put({ id, deleted_at: null }));
      case 'GET runs':
        return ok({
          runs: this._runsOf(id).filter(run => run.revision > since),
          revision
        });
      case 'POST runs': {
        const number = this._runsOf(id).length + 1;
        return ok(
          this.putRun({
            id: `${id}-run-${number}`,
            pipeline_id: id,
            number,
            ...(body as Partial<PipelineRun>)
          })
        );
      }
      case 'POST backfill':
        return ok(this.backfill);
      case 'POST triggers': {
        const trigger = this.putTrigger({
          id: `trigger-${this.triggers.size + 1}`,
          pipeline_id: id,
          ...(body as Partial<Trigger>)
        });
        return ok({ trigger, token: trigger.kind === 'http' ? 'secret' : '' });
      }
      default:
        return missing(`pipelines/${id}/${action}`);
    }
  }

  private _trigger(method: string, id: string, body: unknown): IAnswer {
    const trigger = this.triggers.get(id)!;
    if (method === 'DELETE') {
      this.triggers.delete(id);
      this.put({ id: trigger.pipeline_id });
      return { status: 204 };
    }
    return ok(this.putTrigger({ ...trigger, ...(body as Partial<Trigger>) }));
  }

  private _run(run: PipelineRun, action: string): IAnswer {
    switch (action) {
      case 'stop':
        return ok(this.putRun({ ...run, stop_requested: true }));
      case 'retry':
        return ok(this.putRun({ ...run, state: 'queued' }));
      default: {
        const details: PipelineRunDetails = {
          run,
          steps: [...this.steps.values()].filter(
            ({ run_id }) => run_id === run.id
          ),
          graph: this.graph
        };
        return ok(details);
      }
    }
  }

  private _runsOf(id: string): PipelineRun[] {
    return [...this.runs.values()].filter(run => run.pipeline_id === id);
  }

  private _details(id: string): PipelineDetails {
    return {
      pipeline: this.all.get(id)!,
      triggers: [...this.triggers.values()].filter(
        trigger => trigger.pipeline_id === id
      ),
      versions: this.versions.filter(version => version.pipeline_id === id),
      graph: this.graph,
      ...this.keeper
    };
  }
}

function ok(body: unknown): IAnswer {
  return { status: 200, body };
}

function missing(path: string): IAnswer {
  return { status: 404, body: { message: `There is no ${path}.` } };
}

/** Five fields mean something, anything else does not: the grammar is the real server's. */
function checkOf({ cron, zone }: CronRequest): CronCheck {
  if (cron.split(' ').length !== 5) {
    return {
      words: '',
      next: [],
      error: 'Five fields are needed.',
      field: 'cron'
    };
  }
  const next = [1, 2, 3, 4, 5].map(day => `2026-12-0${day}T06:00:00+01:00`);
  return { words: `at ${cron} in ${zone}`, next, error: '', field: '' };
}
