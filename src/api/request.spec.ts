import { describe, expect, it, vi } from 'vitest';
import { FakeServer } from '../testing/server';
import { ApiError, Connection } from './request';

async function refusal(promise: Promise<unknown>): Promise<ApiError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason
  );
  expect(error).toBeInstanceOf(ApiError);
  return error as ApiError;
}

describe('request', () => {
  it('stays below the base URL, with each part of the path as one', async () => {
    const server = new FakeServer();
    const urls: string[] = [];
    const settings = {
      ...server.settings,
      fetch: (input: RequestInfo | URL) => {
        urls.push((input as Request).url);
        return Promise.resolve(new Response('{"a": 1}'));
      }
    };
    const answer = await new Connection(settings).request(['runs', 'a/b ?'], {
      query: { since: 3 }
    });
    expect(answer).toEqual({ a: 1 });
    // behind it stands what keeps caches out
    expect(urls[0]?.replace(/&\d+$/, '')).toBe(
      'http://localhost:8888/user/ada/mlops/runs/a%2Fb%20%3F?since=3'
    );
  });

  it('sends a body as JSON', async () => {
    const server = new FakeServer();
    await server.client.saveDraft({ path: 'a.ipynb', space: { x: '1,2' } });
    expect(server.asked[0]).toMatchObject({
      method: 'PUT',
      path: 'notebook/draft',
      body: { path: 'a.ipynb', space: { x: '1,2' } }
    });
  });

  it('answers nothing where the server sends nothing', async () => {
    const server = new FakeServer();
    expect(await server.client.saveDraft({ path: 'a.ipynb' })).toBeUndefined();
  });

  it('rejects with the sentence and the fields of an error’s body', async () => {
    const server = new FakeServer();
    server.refuse = () => ({
      status: 400,
      body: { message: 'Mend it.', fields: { x: 'x is not a number.' } }
    });
    const error = await refusal(server.client.status());
    expect(error.message).toBe('Mend it.');
    expect(error.status).toBe(400);
    expect(error.fields).toEqual({ x: 'x is not a number.' });
  });

  it.each([
    ['a page of a proxy', '<html>502 Bad Gateway</html>'],
    ['nothing', undefined],
    ['JSON that is no object', 'null']
  ])('says the status where the body is %s', async (_, body) => {
    const server = new FakeServer();
    server.refuse = () => ({ status: 502, body });
    const error = await refusal(server.client.status());
    expect(error.message).toBe('The Jupyter server answered 502.');
    expect(error.fields).toEqual({});
  });

  it('says that the server does not answer', async () => {
    const server = new FakeServer();
    server.offline = true;
    const error = await refusal(server.client.changes(0));
    expect(error.message).toBe('The Jupyter server does not answer.');
    expect(error.status).toBe(0);
  });

  it('takes a withdrawn request for no failure of the server', async () => {
    const server = new FakeServer();
    server.hold = () => true;
    const abort = new AbortController();
    const asked = server.client.checkSpace(
      { path: 'a', space: {} },
      abort.signal
    );
    await vi.waitFor(() => expect(server.waiting).toBe(1));
    abort.abort();
    const error = await asked.then(
      () => undefined,
      (reason: unknown) => reason
    );
    expect(error).toBeDefined();
    expect(error).not.toBeInstanceOf(ApiError);
  });
});

describe('Client', () => {
  it('has a route for each thing', async () => {
    const server = new FakeServer();
    server.refuse = () => ({ status: 200, body: {} });
    const { client } = server;
    await client.serviceLog();
    await client.notebook('a/b.ipynb');
    await client.sweeps(true);
    await client.startSweep({ path: 'a.ipynb' });
    await client.sweep('s');
    await client.changeSweep('s', { name: 'n' });
    await client.deleteSweep('s');
    await client.sweepAction('s', 'retry');
    await client.sweepNotebook('s');
    await client.runs('s', 7, 1000);
    await client.run('r');
    await client.stopRun('r');
    await client.runNotebook('r');
    expect(
      server.asked.map(
        ({ method, path, query }) =>
          `${method} ${path}${query.size > 0 ? `?${query.toString()}` : ''}`
      )
    ).toEqual([
      'GET service/log',
      'GET notebook?path=a%2Fb.ipynb',
      'GET sweeps?archived=1&deleted=0',
      'POST sweeps',
      'GET sweeps/s',
      'PATCH sweeps/s',
      'DELETE sweeps/s',
      'POST sweeps/s/retry',
      'GET sweeps/s/notebook',
      'GET sweeps/s/runs?since=7&first=1000',
      'GET runs/r',
      'POST runs/r/stop',
      'GET runs/r/notebook'
    ]);
  });
});
