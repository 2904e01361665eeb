import { Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { tellFailure, withdrawFailure } from './failureSummary';

const trans = nullTranslator.load('jupyter_mlops');
const open = vi.fn();
const fail = (id: string) =>
  tellFailure({ id, name: id, text: `“${id}” failed.`, open }, trans);
const said = () =>
  Notification.manager.notifications.map(({ message }) => message);

afterEach(() => Notification.dismiss());

describe('failures', () => {
  it('are summed up in one notification that leaves by itself', () => {
    fail('a');
    expect(said()).toEqual(['“a” failed.']);
    for (const id of ['b', 'c', 'd', 'e', 'b']) {
      fail(id);
    }
    expect(said()).toEqual([
      '5 sweeps and pipelines failed: “a”, “c”, “d”, “e”, “b”.'
    ]);
    const options = Notification.manager.notifications[0]?.options;
    expect(options?.autoClose).toBeGreaterThan(0);
    expect(options?.actions?.map(({ label }) => label)).toEqual(['Open “b”']);
  });

  it('that were dismissed are not told again, nor those that went well after all', () => {
    fail('a');
    Notification.dismiss();
    fail('b');
    fail('c');
    expect(said()).toEqual(['2 sweeps and pipelines failed: “b”, “c”.']);
    withdrawFailure('c', trans);
    expect(said()).toEqual(['“b” failed.']);
    withdrawFailure('b', trans);
    expect(said()).toEqual([]);
  });
});
