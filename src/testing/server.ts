/** A server in memory that answers `fetch`; client, model and form in front of it are the real ones. */
import { ServerConnection } from '@jupyterlab/services';
import { Client } from '../api/client';
import { Connection } from '../api/request';
import {
  API_VERSION,
  type NotebookInfo,
  type Parameter,
  type PrefixCheck,
  type Run,
  type RunsPage,
  type RunSummary,
  type SpaceCheck,
  type SpaceRequest,
  type Status,
  type Sweep,
  type SweepRequest
} from '../api/schema';
import type { IAnswer, IAsked } from './answers';
import { FakePipelines } from './pipelineRoutes';

const BASE = 'http://localhost:8888/user/ada/';

export class FakeServer {
  readonly asked: IAsked[] = [];
  readonly sweeps = new Map<string, Sweep>();
  readonly runs = new Map<string, Run>();
  readonly notebooks = new Map<string, NotebookInfo>();
  readonly pipelines = new FakePipelines(() => ++this.revision);
  revision = 0;
  /** Runs that one answer lists. */
  pageLength = 1_000;
  /** Of its API. */
  version: number = API_VERSION;
  status: Status = statusOf();
  /** Whether nothing answers at all. */
  offline = false;
  /** Answers instead of the usual where it returns something. */
  refuse: (asked: IAsked) => IAnswer | undefined = () => undefined;
  /** Which requests wait until `release` lets them go. */
  hold: (asked: IAsked) => boolean = () => false;
  check: (request: SpaceRequest) => SpaceCheck = count;

  readonly settings = ServerConnection.makeSettings({
    baseUrl: BASE,
    wsUrl: BASE.replace('http', 'ws'),
    fetch: (input, init) => this._fetch(new Request(input, init))
  });

  readonly client = new Client(new Connection(this.settings));

  /** Requests so far whose path begins so. */
  askedFor(path: string, method = 'GET'): IAsked[] {
    return this.asked.filter(
      asked => asked.method === method && asked.path.startsWith(path)
    );
  }

  /** Requests that wait. */
  get waiting(): number {
    return this._held.length;
  }

  /** Let a waiting request go, by default the one that waits longest. */
  release(index = 0): void {
    this._held.splice(index, 1)[0]?.();
  }

  put(sweep: Partial<Sweep> & { id: string }): Sweep {
    const before = this.sweeps.get(sweep.id) ?? sweepOf(sweep.id);
    const after = { ...before, ...sweep, revision: ++this.revision };
    this.sweeps.set(sweep.id, after);
    return after;
  }

  putRun(run: Partial<Run> & { id: string; sweep_id: string }): Run {
    const before = this.runs.get(run.id) ?? runOf(run.id, run.sweep_id);
    const after = { ...before, ...run, revision: ++this.revision };
    this.runs.set(run.id, after);
    return after;
  }

  private async _fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const text = await request.text();
    // the bare number with which ServerConnection keeps caches out
    for (const key of [...url.searchParams.keys()]) {
      if (/^\d+$/.test(key)) {
        url.searchParams.delete(key);
      }
    }
    const asked: IAsked = {
      method: request.method,
      path: decodeURIComponent(
        url.href.slice(`${BASE}mlops/`.length).split('?')[0] ?? ''
      ),
      query: url.searchParams,
      body: text ? JSON.parse(text) : undefined
    };
    this.asked.push(asked);
    const answer = this._answer(asked);
    if (this.hold(asked)) {
      await new Promise<void>((resolve, reject) => {
        this._held.push(resolve);
        request.signal.addEventListener('abort', () =>
          reject(new DOMException('aborted', 'AbortError'))
        );
      });
    }
    if (this.offline) {
      throw new TypeError('Failed to fetch');
    }
    return new Response(
      answer.body === undefined
        ? null
        : typeof answer.body === 'string'
          ? answer.body
          : JSON.stringify(answer.body),
      {
        status: answer.status,
        headers: { 'X-Jupyter-Mlops-Api': String(this.version) }
      }
    );
  }

  private _answer(asked: IAsked): IAnswer {
    const refused = this.refuse(asked);
    if (refused) {
      return refused;
    }
    const { method, path, query } = asked;
    const since = Number(query.get('since'));
    const newer = <T extends { revision: number }>(records: Iterable<T>) =>
      [...records].filter(record => record.revision > since);
    const piped = this.pipelines.answer(asked, this.revision);
    if (piped) {
      return piped;
    }
    const runs = /^sweeps\/([^/]+)\/runs$/.exec(path);
    if (runs) {
      const id = runs[1] ?? '';
      return this.sweeps.has(id)
        ? ok(this._page(id, newer(this.runs.values()), query))
        : { status: 404, body: { message: `There is no sweep ${id}.` } };
    }
    const [, kind, id = ''] = /^(sweeps|runs)\/([^/]+)$/.exec(path) ?? [];
    const one =
      kind === 'sweeps' ? this.sweeps.get(id) : kind && this.runs.get(id);
    if (one) {
      return ok(
        method === 'PATCH'
          ? this.put({ id, ...(asked.body as Partial<Sweep>) })
          : one
      );
    }
    switch (`${method} ${path}`) {
      case 'GET changes':
        return ok({
          // steps' sweeps are told of by their pipelines
          sweeps: newer(this.sweeps.values()).filter(
            sweep => !sweep.pipeline_run
          ),
          pipelines: newer(this.pipelines.all.values()),
          revision: this.revision
        });
      case 'GET status':
        return ok(this.status);
      case 'GET notebook': {
        const info = this.notebooks.get(query.get('path') ?? '');
        return info
          ? ok(info)
          : { status: 404, body: { message: 'There is no such notebook.' } };
      }
      case 'PUT notebook/draft': {
        const draft = asked.body as SweepRequest;
        const info = this.notebooks.get(draft.path);
        if (info) {
          this.notebooks.set(draft.path, { ...info, draft });
        }
        return { status: 204 };
      }
      case 'POST sweeps':
        return ok(
          this.put({
            ...(asked.body as SweepRequest),
            max_output: 100_000_000,
            id: `sweep-${this.sweeps.size + 1}`
          })
        );
      case 'POST space':
        return ok(this.check(asked.body as SpaceRequest));
      default:
        return { status: 404, body: { message: `There is no ${path}.` } };
    }
  }

  private _page(
    sweepId: string,
    runs: readonly Run[],
    query: URLSearchParams
  ): RunsPage {
    const found = runs
      .filter(
        ({ sweep_id, index }) =>
          sweep_id === sweepId && index >= Number(query.get('first'))
      )
      .sort((a, b) => a.index - b.index);
    const page = found.slice(0, this.pageLength);
    return {
      runs: page.map(summaryOf),
      revision: this.revision,
      next: page.length < found.length ? page.at(-1)!.index + 1 : null
    };
  }

  private readonly _held: (() => void)[] = [];
}

function ok(body: unknown): IAnswer {
  return { status: 200, body };
}

/** What a page of runs leaves out. */
const DETAILS: ReadonlySet<string> = new Set<
  Exclude<keyof Run, keyof RunSummary>
>([
  'error',
  'queued_at',
  'peak_memory',
  'cpu_seconds',
  'timing',
  'kernel_reason',
  'warnings',
  'reason',
  'outputs',
  'inputs',
  'code'
]);

function summaryOf(run: Run): RunSummary {
  const message = run.error?.message || run.message || run.warnings[0] || '';
  const fields = Object.entries({ ...run, message });
  return Object.fromEntries(
    fields.filter(([name]) => !DETAILS.has(name))
  ) as unknown as RunSummary;
}

/** Lists alone, and “nonsense” as the one thing that is wrong: the grammar is the real server's. */
function count({ space = {} }: Partial<SpaceRequest>): SpaceCheck {
  const fields = Object.fromEntries(
    Object.entries(space).map(([name, text]) => [
      name,
      text === 'nonsense'
        ? { count: 0, preview: '', error: `${name} is not a number.` }
        : { count: text.split(',').length, preview: text, error: '' }
    ])
  );
  const total = Object.values(fields).reduce(
    (product, field) => product * field.count,
    1
  );
  return {
    total,
    combinations: total,
    fields,
    error: '',
    prefix: prefixOf()
  };
}

/** No cells to share, unless said otherwise. */
export function prefixOf(change: Partial<PrefixCheck> = {}): PrefixCheck {
  return { end: 0, cells: [], reason: '', ...change };
}

export function sweepOf(id: string, change: Partial<Sweep> = {}): Sweep {
  return {
    id,
    name: id,
    path: 'train.ipynb',
    notebook_hash: '',
    state: 'running',
    kernel: 'python3',
    kernelspec: null,
    language: 'python',
    space: {},
    varied: [],
    sampler: { kind: 'grid', count: null, seed: 0 },
    objective: null,
    objectives: [],
    metrics: [],
    target: 'local',
    slots: null,
    slots_open: 1,
    confirmed: true,
    experiment: 'train',
    cell_timeout: null,
    run_timeout: null,
    max_output: 100_000_000,
    prefix: 0,
    shared_cells: 0,
    fixed: {},
    defaults: {},
    folder: '',
    extras: null,
    pipeline_run: '',
    step: '',
    service: '',
    started_by: '',
    mlflow_parent: '',
    total: 10,
    planned: 10,
    counts: {},
    best_run_id: null,
    best_value: null,
    created_at: '2026-11-24T10:00:00.000000+00:00',
    started_at: null,
    ended_at: null,
    archived: false,
    deleted_at: null,
    stop_requested: false,
    pause_requested: false,
    run_seconds: null,
    run_memory: null,
    occupies: 0,
    git_commit: '',
    mlflow_experiment_id: null,
    mlflow_run_id: null,
    message: '',
    reason: '',
    revision: 0,
    ...change
  };
}

export function runOf(
  id: string,
  sweepId: string,
  change: Partial<Run> = {}
): Run {
  return {
    id,
    sweep_id: sweepId,
    index: 0,
    state: 'queued',
    parameters: {},
    metrics: {},
    not_finite: {},
    error: null,
    attempt: 1,
    cell: 0,
    cells: 4,
    worker: '',
    queued_at: '2026-11-24T10:00:00.000000+00:00',
    started_at: null,
    ended_at: null,
    peak_memory: null,
    cpu_seconds: null,
    timing: null,
    kernel_start: '',
    kernel_reason: '',
    warnings: [],
    outputs: {},
    inputs: [],
    code: {},
    mlflow_run_id: null,
    tracked: false,
    stop_requested: false,
    message: '',
    reason: '',
    revision: 0,
    ...change
  };
}

export function parameterOf(
  name: string,
  change: Partial<Parameter> = {}
): Parameter {
  return {
    name,
    type: 'int',
    default: 6,
    default_text: '6',
    optional: false,
    choices: null,
    help: '',
    ...change
  };
}

export function infoOf(
  path: string,
  change: Partial<NotebookInfo> = {}
): NotebookInfo {
  return {
    path,
    hash: 'hash',
    kernel: 'python3',
    kernel_problem: '',
    language: 'python',
    cells: 4,
    parameters: [],
    parameters_cell: 0,
    parameters_cells: [0],
    problem: '',
    open_names: false,
    metrics: [],
    run_seconds: null,
    draft: null,
    saved: null,
    ...change
  };
}

export function statusOf(change: Partial<Status> = {}): Status {
  const local = {
    name: 'local',
    kind: 'local' as const,
    state: 'idle' as const,
    slots: 2,
    busy: 0,
    message: ''
  };
  const cuda = {
    name: 'cuda',
    kind: 'cuda' as const,
    state: 'off' as const,
    slots: 0,
    busy: 0,
    message: 'No NVIDIA device is seen here.'
  };
  return {
    version: '0.1.0',
    service: {
      state: 'off',
      pid: null,
      host: '',
      started_at: null,
      doing: '',
      python: '',
      build: '',
      mlflow: 'off',
      mlflow_message: '',
      mlflow_address: '',
      targets: []
    },
    targets: [local, cuda],
    store_path: '/home/ada/mlops',
    store_bytes: 123_456,
    confirm_runs: 100,
    warnings: [],
    ...change
  };
}
