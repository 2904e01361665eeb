import type { Event } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeServer } from '../testing/server';
import type { IModelChange } from '.';
import { CHANGES_SCHEMA } from './changes';
import { MlopsModel, type IModelOptions } from './model';

class Bus {
  readonly stream = new Signal<this, Event.Emission>(this);

  announce(revision: number, schema_id = CHANGES_SCHEMA): void {
    this.stream.emit({ schema_id, revision });
  }
}

describe('MlopsModel', () => {
  let server: FakeServer;
  let bus: Bus;
  let model: MlopsModel;
  let changes: IModelChange[];

  function make(options: Partial<IModelOptions> = {}): void {
    model = new MlopsModel({
      client: server.client,
      events: bus.stream,
      ...options
    });
    changes = [];
    model.changed.connect((_, change) => void changes.push(change));
  }

  beforeEach(() => {
    server = new FakeServer();
    bus = new Bus();
    make();
  });

  afterEach(() => {
    model.dispose();
    vi.useRealTimers();
  });

  it('knows nothing before the first fetch, and then all', async () => {
    expect(model.ready).toBe(false);
    server.put({ id: 'a' });
    await model.refresh();
    expect(model.ready).toBe(true);
    expect(model.sweep('a')?.name).toBe('a');
    expect(changes).toHaveLength(1);
    expect(changes[0]?.status).toBe(true);
    expect([...(changes[0]?.sweeps ?? [])]).toEqual(['a']);
  });

  it('asks only for what is newer, and keeps what is not', async () => {
    server.put({ id: 'a' });
    server.put({ id: 'b' });
    await model.refresh();
    const before = model.sweep('a');
    server.put({ id: 'b', name: 'new' });
    await model.refresh();
    expect(server.asked.at(-1)?.query.get('since')).toBe('2');
    expect(model.sweep('b')?.name).toBe('new');
    expect(model.sweep('a')).toBe(before);
    expect([...(changes[1]?.sweeps ?? [])]).toEqual(['b']);
  });

  it('says nothing where nothing changed', async () => {
    server.put({ id: 'a' });
    await model.refresh();
    await model.refresh();
    expect(changes).toHaveLength(1);
  });

  it('sorts sweeps onto their shelves, newest first', async () => {
    server.put({ id: 'old', created_at: '2026-01-01' });
    server.put({ id: 'new', created_at: '2026-02-01' });
    server.put({ id: 'aside', archived: true });
    server.put({ id: 'gone', archived: true, deleted_at: '2026-02-02' });
    await model.refresh();
    const ids = (shelf?: 'archived' | 'deleted') =>
      model.sweeps(shelf).map(sweep => sweep.id);
    expect(ids()).toEqual(['new', 'old']);
    expect(ids('archived')).toEqual(['aside']);
    expect(ids('deleted')).toEqual(['gone']);
  });

  describe('sweeps that end', () => {
    it('are told once', async () => {
      server.put({ id: 'a', state: 'running' });
      await model.refresh();
      server.put({ id: 'a', state: 'succeeded' });
      await model.refresh();
      server.put({ id: 'a', name: 'renamed afterwards' });
      await model.refresh();
      expect(changes.map(({ ended }) => [...ended])).toEqual([[], ['a'], []]);
    });

    it('are not told where they were over when first seen', async () => {
      server.put({ id: 'a', state: 'failed' });
      await model.refresh();
      expect(changes[0]?.ended.size).toBe(0);
    });

    it('are told again after a retry', async () => {
      server.put({ id: 'a', state: 'failed' });
      await model.refresh();
      server.put({ id: 'a', state: 'running' });
      await model.refresh();
      server.put({ id: 'a', state: 'succeeded' });
      await model.refresh();
      expect([...(changes[2]?.ended ?? [])]).toEqual(['a']);
    });
  });

  describe('events', () => {
    it('of a new revision fetch it', async () => {
      await model.refresh();
      server.put({ id: 'a' });
      bus.announce(server.revision);
      await vi.waitFor(() => expect(model.sweep('a')).toBeDefined());
    });

    it('of a known revision or of others fetch nothing', async () => {
      server.put({ id: 'a' });
      await model.refresh();
      const before = server.asked.length;
      bus.announce(server.revision);
      bus.announce(99, 'https://events.jupyter.org/contents_service/v1');
      // this one alone: it would wait for one that the events began
      await model.refresh();
      expect(server.asked).toHaveLength(before + 1);
    });

    it('make the polling calm, and silence makes it eager again', async () => {
      vi.useFakeTimers();
      make({ calm: 30_000, eager: 3_000 });
      await model.start();
      await vi.advanceTimersByTimeAsync(100);
      const polls = async (milliseconds: number) => {
        const before = server.askedFor('changes').length;
        await vi.advanceTimersByTimeAsync(milliseconds);
        return server.askedFor('changes').length - before;
      };
      expect(await polls(9_500)).toBe(3);
      server.put({ id: 'a' });
      bus.announce(server.revision);
      await vi.advanceTimersByTimeAsync(3_000);
      expect(await polls(60_000)).toBe(2);
      // changed, and nobody says so
      server.put({ id: 'a' });
      await vi.advanceTimersByTimeAsync(30_000);
      expect(await polls(9_500)).toBe(3);
    });
  });

  describe('refreshes at once', () => {
    it('become one fetch under way and one after it', async () => {
      server.hold = ({ path }) => path === 'changes';
      const first = model.refresh();
      await vi.waitFor(() => expect(server.waiting).toBe(1));
      const others = [model.refresh(), model.refresh(), model.refresh()];
      server.put({ id: 'late' });
      server.release();
      await first;
      expect(model.sweep('late')).toBeUndefined();
      await vi.waitFor(() => expect(server.waiting).toBe(1));
      server.release();
      await Promise.all(others);
      expect(model.sweep('late')).toBeDefined();
      expect(server.askedFor('changes')).toHaveLength(2);
    });
  });

  describe('a store that was replaced', () => {
    it('is forgotten whole and read anew', async () => {
      server.put({ id: 'a' });
      server.put({ id: 'b' });
      server.putRun({ id: 'r1', sweep_id: 'a' });
      const watch = model.watchRuns('a');
      await model.refresh();
      expect(model.runs('a')).toHaveLength(1);
      server.sweeps.clear();
      server.runs.clear();
      server.revision = 0;
      server.put({ id: 'a', name: 'another' });
      await model.refresh();
      expect(model.sweeps().map(({ name }) => name)).toEqual(['another']);
      expect(model.runs('a')).toEqual([]);
      expect(changes.at(-1)?.sweeps).toEqual(new Set(['a', 'b']));
      expect(changes.at(-1)?.runs).toEqual(new Set(['a']));
      watch.dispose();
    });
  });

  describe('watchRuns', () => {
    it('fetches runs by index, and tells which sweep has new ones', async () => {
      server.put({ id: 'a' });
      server.putRun({ id: 'r2', sweep_id: 'a', index: 1 });
      server.putRun({ id: 'r1', sweep_id: 'a', index: 0 });
      server.putRun({ id: 'x', sweep_id: 'b' });
      const watch = model.watchRuns('a');
      expect(model.runsLoaded('a')).toBe(false);
      await model.refresh();
      expect(model.runsLoaded('a')).toBe(true);
      expect(model.runs('a').map(({ id }) => id)).toEqual(['r1', 'r2']);
      expect(model.run('r2')?.index).toBe(1);
      expect(changes.some(({ runs }) => runs.has('a'))).toBe(true);
      watch.dispose();
    });

    it('keeps them current by what changed only', async () => {
      server.put({ id: 'a' });
      server.putRun({ id: 'r1', sweep_id: 'a' });
      server.putRun({ id: 'r2', sweep_id: 'a', index: 1 });
      model.watchRuns('a');
      await model.refresh();
      const [first, second] = model.runs('a');
      server.putRun({ id: 'r1', sweep_id: 'a', state: 'running' });
      server.put({ id: 'a' });
      await model.refresh();
      expect(model.runs('a')[0]?.state).toBe('running');
      expect(model.runs('a')[0]).not.toBe(first);
      expect(model.runs('a')[1]).toBe(second);
      expect(server.askedFor('sweeps/a/runs').at(-1)?.query.get('since')).toBe(
        '3'
      );
    });

    it('shows many runs page by page, and misses no change meanwhile', async () => {
      server.pageLength = 2;
      server.put({ id: 'a' });
      for (let index = 0; index < 5; index += 1) {
        server.putRun({ id: `r${index}`, sweep_id: 'a', index });
      }
      const shown: number[] = [];
      model.changed.connect(() => shown.push(model.runs('a').length));
      server.hold = ({ query }) => query.get('first') === '2';
      model.watchRuns('a');
      await vi.waitFor(() => expect(server.waiting).toBe(1));
      expect([model.runsLoaded('a'), model.runs('a').length]).toEqual([
        true,
        2
      ]);
      // of the page that is there already
      server.putRun({ id: 'r0', sweep_id: 'a', state: 'running' });
      server.hold = () => false;
      server.release();
      await vi.waitFor(() => expect(model.runs('a')).toHaveLength(5));
      expect(shown).toEqual(expect.arrayContaining([2, 4, 5]));
      await model.refresh();
      expect(model.runs('a')[0]?.state).toBe('running');
      const asked = server.askedFor('sweeps/a/runs').length;
      await model.refresh();
      expect(server.askedFor('sweeps/a/runs')).toHaveLength(asked);
    });

    it('fetches the details of a watched run alone, and again when it changes', async () => {
      server.put({ id: 'a' });
      server.putRun({ id: 'r0', sweep_id: 'a', kernel_reason: 'first' });
      server.putRun({ id: 'r1', sweep_id: 'a', index: 1 });
      model.watchRuns('a');
      const watch = model.watchRun('r0');
      await model.refresh();
      expect(model.run('r0')).not.toHaveProperty('kernel_reason');
      expect(model.runDetails('r0')?.kernel_reason).toBe('first');
      expect(changes.at(-1)?.runs).toEqual(new Set(['a']));
      await model.refresh();
      server.putRun({ id: 'r1', sweep_id: 'a', cell: 1 });
      await model.refresh();
      expect(server.askedFor('runs/')).toHaveLength(1);
      server.putRun({ id: 'r0', sweep_id: 'a', kernel_reason: 'second' });
      await model.refresh();
      expect(model.runDetails('r0')?.kernel_reason).toBe('second');
      expect(server.askedFor('runs/').map(({ path }) => path)).toEqual([
        'runs/r0',
        'runs/r0'
      ]);
      watch.dispose();
      expect(model.runDetails('r0')).toBeNull();
    });

    it('does not ask for sweeps that nobody watches', async () => {
      server.put({ id: 'a' });
      server.put({ id: 'b' });
      model.watchRuns('a');
      await model.refresh();
      server.put({ id: 'b' });
      await model.refresh();
      expect(server.askedFor('sweeps/b')).toHaveLength(0);
    });

    it('sees the progress of a run whose sweep is as it was', async () => {
      server.put({ id: 'a' });
      server.putRun({ id: 'r1', sweep_id: 'a', state: 'running', cell: 0 });
      model.watchRuns('a');
      await model.refresh();
      server.putRun({ id: 'r1', sweep_id: 'a', cell: 4 });
      await model.refresh();
      expect(model.runs('a')[0]?.cell).toBe(4);
      expect(changes.at(-1)?.runs).toEqual(new Set(['a']));
      // and asks for nothing more while nothing changes
      const asked = server.askedFor('sweeps/a/runs').length;
      await model.refresh();
      expect(server.askedFor('sweeps/a/runs')).toHaveLength(asked);
    });

    it('fetches for a tab that is opened again while the fetch of the closed one is on its way', async () => {
      server.put({ id: 'a' });
      server.putRun({ id: 'r1', sweep_id: 'a' });
      await model.refresh();
      server.hold = ({ path }) => path === 'sweeps/a/runs';
      const closed = model.watchRuns('a');
      await vi.waitFor(() => expect(server.waiting).toBe(1));
      closed.dispose();
      model.watchRuns('a');
      server.hold = () => false;
      server.release();
      await vi.waitFor(() => expect(model.runs('a')).toHaveLength(1));
      expect(model.runsLoaded('a')).toBe(true);
    });

    it('shows a run no older than it was after another sweep was refused', async () => {
      for (const id of ['a', 'b']) {
        server.put({ id, state: 'running' });
        server.putRun({ id: `run of ${id}`, sweep_id: id, state: 'running' });
        model.watchRuns(id);
      }
      await model.refresh();
      // the answer about a is slow, that about b is a refusal
      server.putRun({ id: 'run of a', sweep_id: 'a', cell: 1 });
      server.hold = ({ path }) => path === 'sweeps/a/runs';
      server.refuse = ({ path }) =>
        path === 'sweeps/b/runs' ? { status: 500 } : undefined;
      const slow = model.refresh();
      await vi.waitFor(() => expect(server.waiting).toBe(1));
      server.hold = () => false;
      server.putRun({ id: 'run of a', sweep_id: 'a', state: 'succeeded' });
      const next = model.refresh();
      await new Promise(resolve => setTimeout(resolve, 20));
      server.release();
      await slow;
      await next;
      // the answer that was slow is in by now, whoever waits for it
      await new Promise(resolve => setTimeout(resolve, 20));
      expect(model.run('run of a')?.state).toBe('succeeded');
    });

    it('asks for what is in sight alone, and not again for what is over', async () => {
      for (const id of ['live', 'hidden', 'over']) {
        server.put({ id, state: id === 'over' ? 'succeeded' : 'running' });
        server.putRun({ id: `run of ${id}`, sweep_id: id });
      }
      model.watchRuns('live');
      model.watchRuns('over');
      const hidden = model.watchRuns('hidden');
      await model.refresh();
      hidden.active = false;
      const before = server.asked.length;
      for (let cell = 1; cell <= 10; cell++) {
        server.putRun({ id: 'run of live', sweep_id: 'live', cell });
        server.putRun({ id: 'run of hidden', sweep_id: 'hidden', cell });
        await model.refresh();
      }
      const paths = server.asked.slice(before).map(({ path }) => path);
      expect(new Set(paths)).toEqual(new Set(['changes', 'sweeps/live/runs']));
      expect(paths).toHaveLength(20);
      hidden.active = true;
      await vi.waitFor(() => expect(model.run('run of hidden')?.cell).toBe(10));
    });

    it('forgets with the last of several watchers', async () => {
      server.put({ id: 'a' });
      server.putRun({ id: 'r1', sweep_id: 'a' });
      const one = model.watchRuns('a');
      const two = model.watchRuns('a');
      await model.refresh();
      one.dispose();
      one.dispose();
      expect(model.runs('a')).toHaveLength(1);
      two.dispose();
      expect(model.runs('a')).toHaveLength(0);
      expect(model.runsLoaded('a')).toBe(false);
    });

    it('keeps what a new watcher came for when the old one leaves late', async () => {
      server.put({ id: 'a' });
      server.putRun({ id: 'r1', sweep_id: 'a' });
      const one = model.watchRuns('a');
      one.dispose();
      model.watchRuns('a');
      one.dispose();
      await model.refresh();
      expect(model.runs('a')).toHaveLength(1);
    });

    it('shows none for a sweep that is gone, without an error', async () => {
      model.watchRuns('gone');
      await model.refresh();
      expect(model.error).toBe('');
      expect(model.runsLoaded('gone')).toBe(true);
      expect(model.runs('gone')).toEqual([]);
    });
  });

  describe('errors', () => {
    it('are told once, and so is the recovery', async () => {
      server.put({ id: 'a' });
      await model.refresh();
      server.offline = true;
      await model.refresh();
      await model.refresh();
      expect(model.error).toBe('The Jupyter server does not answer.');
      expect(model.ready).toBe(true);
      expect(model.sweep('a')).toBeDefined();
      server.offline = false;
      await model.refresh();
      expect(model.error).toBe('');
      expect(changes.map(({ status }) => status)).toEqual([true, true, true]);
    });

    it('carry the sentence of the server', async () => {
      server.refuse = () => ({
        status: 503,
        body: { message: 'The store is on a disk that is full.' }
      });
      await model.refresh();
      expect(model.error).toBe('The store is on a disk that is full.');
      expect(model.ready).toBe(false);
    });

    it('of runs do not lose what changed meanwhile', async () => {
      server.put({ id: 'a', state: 'running' });
      server.putRun({ id: 'r1', sweep_id: 'a' });
      model.watchRuns('a');
      await model.refresh();
      server.put({ id: 'a', state: 'succeeded' });
      server.putRun({ id: 'r1', sweep_id: 'a', state: 'succeeded' });
      server.refuse = ({ path }) =>
        path.endsWith('/runs') ? { status: 500 } : undefined;
      await model.refresh();
      expect(model.sweep('a')?.state).toBe('succeeded');
      expect([...(changes.at(-1)?.ended ?? [])]).toEqual(['a']);
      server.refuse = () => undefined;
      await model.refresh();
      expect(model.runs('a')[0]?.state).toBe('succeeded');
      expect(changes.at(-1)?.runs).toEqual(new Set(['a']));
    });
  });

  describe('status', () => {
    it('is fetched while somebody watches, and told when it differs', async () => {
      vi.useFakeTimers();
      make();
      expect(model.status).toBeNull();
      const watch = model.watchStatus();
      await vi.advanceTimersByTimeAsync(100);
      expect(model.status?.targets[0]?.name).toBe('local');
      expect(changes).toHaveLength(1);
      await vi.advanceTimersByTimeAsync(8_500);
      expect(server.askedFor('status').length).toBeGreaterThan(1);
      expect(changes).toHaveLength(1);
      server.status = { ...server.status, store_bytes: 1 };
      await vi.advanceTimersByTimeAsync(4_500);
      expect(model.status?.store_bytes).toBe(1);
      expect(changes).toHaveLength(2);
      watch.dispose();
      await vi.advanceTimersByTimeAsync(100);
      const before = server.askedFor('status').length;
      await vi.advanceTimersByTimeAsync(60_000);
      expect(server.askedFor('status')).toHaveLength(before);
    });
  });

  it('says nothing once disposed', async () => {
    server.put({ id: 'a' });
    server.hold = () => true;
    const refresh = model.refresh();
    await vi.waitFor(() => expect(server.waiting).toBe(1));
    model.dispose();
    server.release();
    await refresh;
    bus.announce(5);
    await new Promise(resolve => setTimeout(resolve, 20));
    expect(changes).toHaveLength(0);
    expect(server.asked).toHaveLength(1);
  });
});
