import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { nullTranslator, type ITranslator } from '@jupyterlab/translation';
import { Signal, type ISignal } from '@lumino/signaling';
import { translated, type ILanguage } from './messages';
import { API_VERSION } from './schema';

/** What the server answered when it refused, or that it did not answer (status 0). */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    /** Sentences by field name, for what belongs beside one input. */
    readonly fields: Readonly<Record<string, string>> = {}
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

export interface IRequestOptions {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  query?: Record<string, string | number>;
  body?: unknown;
  signal?: AbortSignal;
}

/** The name of the header in which both sides say which version of the API they are of. */
const API_HEADER = 'X-Jupyter-Mlops-Api';

/** The Jupyter server as this page reaches it; messages in its answers are texts in JupyterLab's language. */
export class Connection {
  constructor(
    readonly settings: ServerConnection.ISettings,
    translator: ITranslator = nullTranslator
  ) {
    this._language = {
      trans: translator.load('jupyter_mlops'),
      languageCode: translator.languageCode
    };
  }

  /** Emitted at each answer, with the version of the server's API. */
  get answered(): ISignal<this, number> {
    return this._answered;
  }

  /**
   * Send one request to `{base_url}mlops/…`.
   *
   * @throws ApiError on any failure, with a sentence for the user.
   */
  async request<T>(
    path: readonly string[],
    options: IRequestOptions = {}
  ): Promise<T> {
    const { method = 'GET', query, body, signal } = options;
    const { trans } = this._language;
    const url =
      URLExt.join(
        this.settings.baseUrl,
        'mlops',
        ...path.map(part => encodeURIComponent(part))
      ) + (query ? URLExt.objectToQueryString(query) : '');
    const init: RequestInit = {
      method,
      headers: { [API_HEADER]: String(API_VERSION) },
      signal: signal ?? null
    };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
    }
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(url, init, this.settings);
    } catch (error) {
      if (signal?.aborted) {
        throw error;
      }
      throw new ApiError(trans.__('The Jupyter server does not answer.'), 0);
    }
    const version = response.headers.get(API_HEADER);
    // a proxy's own page names none
    if (version !== null) {
      this._answered.emit(Number(version));
    }
    const text = await response.text();
    let data: unknown;
    try {
      data = text ? translated(this._language, JSON.parse(text)) : undefined;
    } catch {
      data = undefined;
    }
    if (!response.ok) {
      const { message, fields } = (data ?? {}) as {
        message?: string;
        fields?: Record<string, string>;
      };
      throw new ApiError(
        message || trans.__('The Jupyter server answered %1.', response.status),
        response.status,
        fields
      );
    }
    return data as T;
  }

  private readonly _language: ILanguage;
  private readonly _answered = new Signal<this, number>(this);
}
