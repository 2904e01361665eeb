/** Notebooks that runs executed, as files of a drive: `mlops:<sweep>/<run>/train · run 3.ipynb`. */
import type { INotebookContent } from '@jupyterlab/nbformat';
import { ServerConnection, type Contents } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import { URLExt } from '@jupyterlab/coreutils';
import { Signal } from '@lumino/signaling';
import type { Client } from '../api/client';
import { ApiError } from '../api/request';
import type { Run, Sweep } from '../api/schema';
import { DRIVE } from '../model/paths';
import { isOver } from '../model/states';

/** Stands where a run's id does. */
const FROZEN = 'as-started';

/** What a path of the drive names; `run` is null for the notebook as the sweep froze it. */
export interface INotebookRef {
  readonly sweep: string;
  readonly run: string | null;
}

/** Path of a run's executed notebook; its last part is what the tab is called. */
export function runPath(
  sweep: Pick<Sweep, 'id' | 'path'>,
  run: Pick<Run, 'id' | 'index'>,
  trans: TranslationBundle
): string {
  const name = trans.__('%1 · run %2', stem(sweep.path), run.index + 1);
  return `${DRIVE}:${sweep.id}/${run.id}/${name}.ipynb`;
}

/** Path of the notebook as a sweep was started with it. */
export function frozenPath(
  sweep: Pick<Sweep, 'id' | 'path'>,
  trans: TranslationBundle
): string {
  const name = trans.__('%1 · as started', stem(sweep.path));
  return `${DRIVE}:${sweep.id}/${FROZEN}/${name}.ipynb`;
}

/** What a path inside the drive names; null for a folder and for nonsense. */
export function parsePath(localPath: string): INotebookRef | null {
  const parts = localPath.split('/').filter(Boolean);
  const [sweep, run, name] = parts;
  return parts.length === 3 && sweep && run && name?.endsWith('.ipynb')
    ? { sweep, run: run === FROZEN ? null : run }
    : null;
}

function stem(path: string): string {
  return (path.split('/').pop() ?? path).replace(/\.ipynb$/, '');
}

type Source = Pick<
  Client,
  'connection' | 'run' | 'runNotebook' | 'sweep' | 'sweepNotebook'
>;

/** Executed notebooks to be read; what would change one is refused with a sentence. */
export class MlopsDrive implements Contents.IDrive {
  constructor(
    private readonly _client: Source,
    private readonly _trans: TranslationBundle
  ) {
    this.serverSettings = _client.connection.settings;
  }

  readonly name = DRIVE;
  readonly serverSettings: ServerConnection.ISettings;
  readonly fileChanged = new Signal<this, Contents.IChangedArgs>(this);

  get isDisposed(): boolean {
    return this._disposed;
  }

  dispose(): void {
    this._disposed = true;
    Signal.clearData(this);
  }

  async get(
    localPath: string,
    options: Contents.IFetchOptions = {}
  ): Promise<Contents.IModel> {
    const ref = parsePath(localPath);
    if (!ref) {
      return this._folder(localPath);
    }
    try {
      return await this._notebook(localPath, ref, options.content !== false);
    } catch (error) {
      throw error instanceof ApiError ? asResponse(error) : error;
    }
  }

  getDownloadUrl(localPath: string): Promise<string> {
    const ref = parsePath(localPath);
    if (!ref) {
      return this._refuse();
    }
    const place = ref.run ? ['runs', ref.run] : ['sweeps', ref.sweep];
    return Promise.resolve(
      URLExt.join(this.serverSettings.baseUrl, 'mlops', ...place, 'notebook')
    );
  }

  newUntitled(): Promise<Contents.IModel> {
    return this._refuse();
  }

  delete(): Promise<void> {
    return this._refuse();
  }

  rename(): Promise<Contents.IModel> {
    return this._refuse();
  }

  save(): Promise<Contents.IModel> {
    return this._refuse();
  }

  copy(): Promise<Contents.IModel> {
    return this._refuse();
  }

  createCheckpoint(): Promise<Contents.ICheckpointModel> {
    return this._refuse();
  }

  listCheckpoints(): Promise<Contents.ICheckpointModel[]> {
    return Promise.resolve([]);
  }

  restoreCheckpoint(): Promise<void> {
    return this._refuse();
  }

  deleteCheckpoint(): Promise<void> {
    return this._refuse();
  }

  private async _notebook(
    path: string,
    ref: INotebookRef,
    content: boolean
  ): Promise<Contents.IModel> {
    if (ref.run === null) {
      const sweep = await this._client.sweep(ref.sweep);
      return model(
        path,
        sweep.created_at,
        sweep.created_at,
        content ? await this._client.sweepNotebook(ref.sweep) : null
      );
    }
    const run = await this._client.run(ref.run);
    return model(
      path,
      run.queued_at,
      run.ended_at ?? run.started_at ?? run.queued_at,
      content ? await this._executed(run) : null
    );
  }

  private async _executed(run: Run): Promise<INotebookContent> {
    try {
      return await this._client.runNotebook(run.id);
    } catch (error) {
      if (
        error instanceof ApiError &&
        error.status === 404 &&
        !isOver(run.state)
      ) {
        // nothing is executed yet: it will be this one
        return this._client.sweepNotebook(run.sweep_id);
      }
      throw error;
    }
  }

  private _folder(path: string): Contents.IModel {
    if (path.split('/').filter(Boolean).length > 2) {
      throw asResponse(
        new ApiError(this._trans.__('There is no such notebook.'), 404)
      );
    }
    return {
      ...model(path, '', '', null),
      type: 'directory',
      mimetype: '',
      content: []
    };
  }

  private _refuse(): Promise<never> {
    return Promise.reject(
      asResponse(
        new ApiError(
          this._trans.__(
            'This notebook records what a run did and cannot be changed. To keep it elsewhere, download it.'
          ),
          403
        )
      )
    );
  }

  private _disposed = false;
}

function model(
  path: string,
  created: string,
  modified: string,
  content: INotebookContent | null
): Contents.IModel {
  return {
    name: path.split('/').pop() ?? '',
    path,
    type: 'notebook',
    writable: false,
    created,
    last_modified: modified,
    mimetype: 'application/x-ipynb+json',
    format: content ? 'json' : null,
    content
  };
}

/** JupyterLab looks at the response's status of what a drive rejects with. */
function asResponse(error: ApiError): Error {
  // a Response cannot be made with the status of an answer that never came
  const status = error.status >= 200 ? error.status : 503;
  return new ServerConnection.ResponseError(
    new Response(null, { status }),
    error.message
  );
}
