import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SweepRequest } from '../api/schema';
import { compact, emptyRequest } from '../model/sweepRequest';
import { FakeServer, infoOf, parameterOf } from '../testing/server';
import { NotebookForm } from './notebookFormState';

const PATH = 'flights/train.ipynb';

describe('NotebookForm', () => {
  let server: FakeServer;
  let form: NotebookForm;
  let changed: number;

  beforeEach(() => {
    vi.useFakeTimers();
    server = new FakeServer();
    server.notebooks.set(
      PATH,
      infoOf(PATH, {
        parameters: [
          parameterOf('max_depth'),
          parameterOf('rate', { type: 'float' }),
          parameterOf('seed')
        ]
      })
    );
    form = new NotebookForm({ client: server.client, path: PATH, delay: 100 });
    changed = 0;
    form.changed.connect(() => void changed++);
  });

  afterEach(() => {
    form.dispose();
    vi.useRealTimers();
  });

  const remember = (change: {
    draft?: Partial<SweepRequest>;
    saved?: Partial<SweepRequest>;
  }) => {
    const whole = (part?: Partial<SweepRequest>) =>
      part ? { ...emptyRequest(PATH), ...part } : null;
    server.notebooks.set(PATH, {
      ...server.notebooks.get(PATH)!,
      draft: whole(change.draft),
      saved: whole(change.saved)
    });
  };
  const checks = () => server.askedFor('space', 'POST');
  const drafts = () => server.askedFor('notebook/draft', 'PUT');

  describe('load', () => {
    it('reads what the notebook declares and checks the space', async () => {
      await form.load();
      expect(form.parameters.map(({ name }) => name)).toEqual([
        'max_depth',
        'rate',
        'seed'
      ]);
      expect(form.check?.total).toBe(1);
      expect(form.checking).toBe(false);
      expect(changed).toBeGreaterThan(0);
    });

    it('takes the draft before what the notebook carries', async () => {
      remember({
        draft: { space: { seed: '1,2' } },
        saved: { space: { seed: '9' } }
      });
      await form.load();
      expect(form.request.space).toEqual({ seed: '1,2' });
      expect(form.savedWithNotebook).toBe(false);
    });

    it('remembers whether the first cells are shared', async () => {
      remember({ saved: { space: { seed: '1,2' }, shared_prefix: true } });
      await form.load();
      expect(form.request.shared_prefix).toBe(true);
      expect(form.savedWithNotebook).toBe(true);
      expect(compact(form.request)).toEqual({
        space: { seed: '1,2' },
        shared_prefix: true
      });
      form.update({ shared_prefix: false });
      expect(form.savedWithNotebook).toBe(false);
      await form.flush();
      expect(drafts().at(-1)?.body).toMatchObject({ shared_prefix: false });
    });

    it('takes what the notebook carries where there is no draft', async () => {
      remember({ saved: { space: { seed: '9' }, slots: 1 } });
      await form.load();
      expect(form.request).toEqual({
        ...emptyRequest(PATH),
        space: { seed: '9' },
        slots: 1
      });
      expect(form.savedWithNotebook).toBe(true);
    });

    it('knows its own in a file, whose keys are sorted', async () => {
      remember({
        draft: { space: { seed: '9', max_depth: '3' } },
        saved: { space: { max_depth: '3', seed: '9' } }
      });
      await form.load();
      expect(Object.keys(form.request.space)).toEqual(['max_depth', 'seed']);
      expect(form.savedWithNotebook).toBe(true);
      form.setField('seed', '8');
      expect(form.savedWithNotebook).toBe(false);
    });

    it('belongs to this path, whatever path was remembered', async () => {
      remember({ draft: { path: 'elsewhere.ipynb', space: { seed: '1' } } });
      await form.load();
      expect(form.request.path).toBe(PATH);
    });

    it('leaves alone what was typed before the answer came', async () => {
      remember({ draft: { space: { seed: '9' } } });
      server.hold = ({ path }) => path === 'notebook';
      const loading = form.load();
      await vi.waitFor(() => expect(server.waiting).toBe(1));
      form.setField('seed', '5');
      server.release();
      await loading;
      expect(form.request.space).toEqual({ seed: '5' });
    });

    it('again keeps what stands in the form, and takes new parameters', async () => {
      await form.load();
      form.setField('seed', '1,2');
      await form.flush();
      server.notebooks.set(
        PATH,
        infoOf(PATH, {
          parameters: [parameterOf('seed'), parameterOf('added')],
          draft: { ...emptyRequest(PATH), space: { seed: 'other tab' } }
        })
      );
      await form.load();
      expect(form.request.space).toEqual({ seed: '1,2' });
      expect(form.parameters.map(({ name }) => name)).toEqual([
        'seed',
        'added'
      ]);
    });

    it('takes the later of two answers that come in the wrong order', async () => {
      server.hold = ({ path }) => path === 'notebook';
      const first = form.load();
      await vi.waitFor(() => expect(server.waiting).toBe(1));
      server.notebooks.set(PATH, infoOf(PATH, { hash: 'newer' }));
      const second = form.load();
      await vi.waitFor(() => expect(server.waiting).toBe(2));
      server.release(1);
      await second;
      server.release(0);
      await first;
      expect(form.info?.hash).toBe('newer');
    });

    it('says why it could not, and is well again afterwards', async () => {
      const info = server.notebooks.get(PATH)!;
      server.notebooks.delete(PATH);
      await form.load();
      expect(form.error).toBe('There is no such notebook.');
      expect(form.info).toBeNull();
      server.notebooks.set(PATH, info);
      await form.load();
      expect(form.error).toBe('');
      expect(form.info).toEqual(info);
    });

    it('leaves why a start was refused: saving the notebook reads it again meanwhile', async () => {
      await form.load();
      const reading = form.load();
      form.refuse(new Error('MLflow does not answer.'));
      await reading;
      expect(form.error).toBe('MLflow does not answer.');
      form.setField('max_depth', '3');
      expect(form.error).toBe('');
    });
  });

  describe('fields', () => {
    it('stand in the order of the notebook: the last varies fastest', async () => {
      await form.load();
      form.setField('seed', '1');
      form.setField('max_depth', '3:8');
      form.setField('rate', '.1,.2');
      expect(Object.keys(form.request.space)).toEqual([
        'max_depth',
        'rate',
        'seed'
      ]);
    });

    it('that are emptied fall back to the default', async () => {
      await form.load();
      form.setField('seed', '1');
      form.setField('seed', ' ');
      expect(form.request.space).toEqual({});
    });

    it('that the notebook no longer declares stay, to be removed', async () => {
      remember({ draft: { space: { renamed: '1,2', seed: '3' } } });
      await form.load();
      expect(form.parameters.map(({ name }) => name)).toEqual([
        'max_depth',
        'rate',
        'seed',
        'renamed'
      ]);
      expect(form.isDeclared('renamed')).toBe(false);
      form.removeField('renamed');
      expect(form.request.space).toEqual({ seed: '3' });
      expect(form.parameters).toHaveLength(3);
    });

    it('that were added stay while they are empty', async () => {
      await form.load();
      form.addField('threads');
      expect(form.parameters.at(-1)?.name).toBe('threads');
      form.setField('threads', '1,2');
      form.setField('threads', '');
      expect(form.parameters.at(-1)?.name).toBe('threads');
    });
  });

  describe('checks', () => {
    it('wait for a pause in the typing', async () => {
      await form.load();
      const before = checks().length;
      for (const text of ['1', '1,', '1,2']) {
        form.setField('seed', text);
        await vi.advanceTimersByTimeAsync(50);
      }
      expect(checks()).toHaveLength(before);
      expect(form.checking).toBe(true);
      await vi.advanceTimersByTimeAsync(100);
      expect(checks()).toHaveLength(before + 1);
      expect(form.check?.total).toBe(2);
      expect(form.checking).toBe(false);
    });

    it('that were overtaken are withdrawn, and the latest wins', async () => {
      await form.load();
      server.hold = ({ path }) => path === 'space';
      form.setField('seed', '1,2');
      await vi.advanceTimersByTimeAsync(110);
      form.setField('seed', '1,2,3');
      await vi.advanceTimersByTimeAsync(110);
      expect(server.waiting).toBe(2);
      expect(form.check?.total).toBe(1);
      server.release(1);
      await vi.advanceTimersByTimeAsync(10);
      expect(form.check?.total).toBe(3);
      server.release(0);
      await vi.advanceTimersByTimeAsync(10);
      expect(form.check?.total).toBe(3);
      expect(form.checking).toBe(false);
      expect(form.error).toBe('');
    });

    it('are not asked for what does not change the space', async () => {
      await form.load();
      const before = checks().length;
      form.update({ name: 'night', slots: 1 });
      await vi.advanceTimersByTimeAsync(1000);
      expect(checks()).toHaveLength(before);
    });

    it('are asked when the sampler changes', async () => {
      await form.load();
      form.update({ sampler: { kind: 'random', count: 5, seed: 1 } });
      await vi.advanceTimersByTimeAsync(110);
      expect(checks().at(-1)?.body).toMatchObject({
        sampler: { kind: 'random', count: 5, seed: 1 }
      });
    });

    it('that fail say why', async () => {
      await form.load();
      server.offline = true;
      form.setField('seed', '1,2');
      await vi.advanceTimersByTimeAsync(110);
      expect(form.check).toBeNull();
      expect(form.error).toBe('The Jupyter server does not answer.');
    });
  });

  describe('drafts', () => {
    it('are remembered after a longer pause, once', async () => {
      await form.load();
      form.setField('seed', '1');
      form.setField('seed', '1,2');
      await vi.advanceTimersByTimeAsync(250);
      expect(drafts()).toHaveLength(0);
      await vi.advanceTimersByTimeAsync(100);
      expect(drafts()).toHaveLength(1);
      expect(drafts()[0]?.body).toMatchObject({
        path: PATH,
        space: { seed: '1,2' }
      });
      await vi.advanceTimersByTimeAsync(5000);
      expect(drafts()).toHaveLength(1);
    });

    it('go at once when the form is left', async () => {
      await form.load();
      form.setField('seed', '1,2');
      form.dispose();
      await vi.advanceTimersByTimeAsync(0);
      expect(drafts()).toHaveLength(1);
    });

    it('are not written by looking', async () => {
      await form.load();
      await form.flush();
      form.dispose();
      expect(drafts()).toHaveLength(0);
    });

    it('that the server refuses are told', async () => {
      await form.load();
      server.refuse = ({ path }) =>
        path === 'notebook/draft'
          ? { status: 400, body: { message: 'That looks like a secret.' } }
          : undefined;
      form.setField('seed', '1');
      await form.flush();
      expect(form.error).toBe('That looks like a secret.');
    });

    it('that found no server go with the next keystroke', async () => {
      await form.load();
      server.offline = true;
      form.setField('seed', '1');
      await form.flush();
      server.offline = false;
      form.update({ name: 'night' });
      await form.flush();
      expect(drafts().at(-1)?.body).toMatchObject({
        space: { seed: '1' },
        name: 'night'
      });
    });
  });
});

describe('compact', () => {
  it('leaves out the path and what is the default anyway', () => {
    expect(compact(emptyRequest(PATH))).toEqual({});
    expect(
      compact({ ...emptyRequest(PATH), space: { x: '1' }, slots: 2 })
    ).toEqual({ space: { x: '1' }, slots: 2 });
  });
});
