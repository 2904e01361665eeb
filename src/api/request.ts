import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

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

/**
 * Send one request to `{base_url}mlops/…`.
 *
 * @throws ApiError with a sentence for a person, whatever went wrong.
 */
export async function request<T>(
  settings: ServerConnection.ISettings,
  path: readonly string[],
  options: IRequestOptions = {}
): Promise<T> {
  const { method = 'GET', query, body, signal } = options;
  const url =
    URLExt.join(
      settings.baseUrl,
      'mlops',
      ...path.map(part => encodeURIComponent(part))
    ) + (query ? URLExt.objectToQueryString(query) : '');
  const init: RequestInit = { method, signal: signal ?? null };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
  }
  let response: Response;
  try {
    response = await ServerConnection.makeRequest(url, init, settings);
  } catch (error) {
    if (signal?.aborted) {
      throw error;
    }
    throw new ApiError('The Jupyter server does not answer.', 0);
  }
  const text = await response.text();
  let data: unknown;
  try {
    data = text ? JSON.parse(text) : undefined;
  } catch {
    data = undefined;
  }
  if (!response.ok) {
    const { message, fields } = (data ?? {}) as {
      message?: string;
      fields?: Record<string, string>;
    };
    throw new ApiError(
      message || `The Jupyter server answered ${response.status}.`,
      response.status,
      fields
    );
  }
  return data as T;
}
