import { Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { API_VERSION } from '../api/schema';
import { FakeServer } from '../testing/server';
import { announceOtherVersion } from './plugin';

const shown = () =>
  Notification.manager.notifications.map(({ message }) => message);

function opened() {
  const server = new FakeServer();
  const reload = vi.fn();
  const trans = nullTranslator.load('jupyter_mlops');
  announceOtherVersion(server.client.connection, trans, reload);
  return { server, reload };
}

afterEach(() => Notification.dismiss());

describe('announceOtherVersion', () => {
  it('says nothing while page and server are of one version', async () => {
    const { server } = opened();
    await server.client.status();
    expect(shown()).toEqual([]);
  });

  it('says once that a newer server wants the page to be reloaded', async () => {
    const { server, reload } = opened();
    server.version = API_VERSION + 1;
    server.refuse = () => ({ status: 409, body: { message: 'Too old.' } });
    for (let request = 0; request < 5; request += 1) {
      await expect(server.client.status()).rejects.toThrow('Too old.');
    }
    expect(shown()).toEqual([
      'Reload this page: jupyter-mlops was updated on the server.'
    ]);
    const [action] =
      Notification.manager.notifications[0]?.options.actions ?? [];
    action?.callback(new MouseEvent('click'));
    expect(reload).toHaveBeenCalledOnce();
  });

  it('asks for a restart of an older server, until it was restarted', async () => {
    const { server } = opened();
    server.version = API_VERSION - 1;
    await server.client.status();
    await server.client.status();
    expect(shown()).toHaveLength(1);
    expect(shown()[0]).toContain('Restart the Jupyter server');
    server.version = API_VERSION;
    await server.client.status();
    expect(shown()).toEqual([]);
  });
});
