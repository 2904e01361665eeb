export interface IAsked {
  method: string;
  /** Below `{base_url}mlops/`, decoded. */
  path: string;
  query: URLSearchParams;
  body: unknown;
}

export interface IAnswer {
  status: number;
  body?: unknown;
}
