import type { INotebookContent } from '@jupyterlab/nbformat';
import type { ServerConnection } from '@jupyterlab/services';
import { request } from './request';
import type {
  Changes,
  NotebookInfo,
  Run,
  RunsPage,
  ServiceLog,
  SpaceCheck,
  SpaceRequest,
  Status,
  Sweep,
  SweepChange,
  SweepRequest
} from './schema';

/** A request names its notebook; what it leaves out takes the server's default. */
export type Asked<T extends { path: string }> = Partial<T> & Pick<T, 'path'>;

export type SweepAction = 'stop' | 'pause' | 'resume' | 'retry' | 'restore';

/** One method per route. Everything rejects with an `ApiError`. */
export class Client {
  constructor(readonly settings: ServerConnection.ISettings) {}

  status(): Promise<Status> {
    return request(this.settings, ['status']);
  }

  serviceLog(): Promise<ServiceLog> {
    return request(this.settings, ['service', 'log']);
  }

  notebook(path: string): Promise<NotebookInfo> {
    return request(this.settings, ['notebook'], { query: { path } });
  }

  saveDraft(draft: Asked<SweepRequest>): Promise<void> {
    return request(this.settings, ['notebook', 'draft'], {
      method: 'PUT',
      body: draft
    });
  }

  checkSpace(
    space: Asked<SpaceRequest>,
    signal?: AbortSignal
  ): Promise<SpaceCheck> {
    return request(this.settings, ['space'], {
      method: 'POST',
      body: space,
      ...(signal && { signal })
    });
  }

  sweeps(archived = false, deleted = false): Promise<Changes> {
    return request(this.settings, ['sweeps'], {
      query: { archived: Number(archived), deleted: Number(deleted) }
    });
  }

  /** Sweeps newer than a revision, archived and deleted ones too. */
  changes(since: number): Promise<Changes> {
    return request(this.settings, ['changes'], { query: { since } });
  }

  startSweep(sweep: Asked<SweepRequest>): Promise<Sweep> {
    return request(this.settings, ['sweeps'], { method: 'POST', body: sweep });
  }

  sweep(id: string): Promise<Sweep> {
    return request(this.settings, ['sweeps', id]);
  }

  changeSweep(id: string, change: Partial<SweepChange>): Promise<Sweep> {
    return request(this.settings, ['sweeps', id], {
      method: 'PATCH',
      body: change
    });
  }

  deleteSweep(id: string): Promise<void> {
    return request(this.settings, ['sweeps', id], { method: 'DELETE' });
  }

  sweepAction(id: string, action: SweepAction): Promise<Sweep> {
    return request(this.settings, ['sweeps', id, action], { method: 'POST' });
  }

  sweepNotebook(id: string): Promise<INotebookContent> {
    return request(this.settings, ['sweeps', id, 'notebook']);
  }

  runs(sweepId: string, since = 0): Promise<RunsPage> {
    return request(this.settings, ['sweeps', sweepId, 'runs'], {
      query: { since }
    });
  }

  run(id: string): Promise<Run> {
    return request(this.settings, ['runs', id]);
  }

  stopRun(id: string): Promise<Run> {
    return request(this.settings, ['runs', id, 'stop'], { method: 'POST' });
  }

  /** The executed notebook, as far as it has got. */
  runNotebook(id: string): Promise<INotebookContent> {
    return request(this.settings, ['runs', id, 'notebook']);
  }
}
