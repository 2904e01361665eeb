import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '../api/request';
import { Records, Watched, WatchedSet } from './resource';

interface IRecord {
  id: string;
  revision: number;
}

/** Requests that wait to be answered. */
class Requests<T> {
  readonly waiting: { answer(value: T): void; refuse(error: Error): void }[] =
    [];

  readonly ask = (): Promise<T> =>
    new Promise((answer, refuse) => this.waiting.push({ answer, refuse }));

  /** The request with this index, once it is there. */
  async at(index: number) {
    await vi.waitFor(() => expect(this.waiting.length).toBeGreaterThan(index));
    return this.waiting[index]!;
  }
}

describe('a watched resource', () => {
  let requests: Requests<IRecord>;
  let wanted: ReturnType<typeof vi.fn<() => void>>;
  let watched: Watched<IRecord>;

  beforeEach(() => {
    requests = new Requests();
    wanted = vi.fn<() => void>();
    watched = new Watched<IRecord>({
      fetch: requests.ask,
      revisionOf: ({ revision }) => revision,
      wanted
    });
  });

  const at = (revision: number) => ({ id: 'a', revision });

  it('is fetched while it is in sight, and once when it comes into sight again', async () => {
    const watch = watched.watch();
    expect(wanted).toHaveBeenCalledTimes(1);
    const first = watched.update();
    (await requests.at(0)).answer(at(1));
    expect(await first).toBe(true);
    watch.active = false;
    for (let change = 0; change < 5; change++) {
      watched.stale = true;
      expect(await watched.update()).toBe(false);
    }
    expect(requests.waiting).toHaveLength(1);
    expect(watched.value).toEqual(at(1));
    watch.active = true;
    expect(wanted).toHaveBeenCalledTimes(2);
    void watched.update();
    await vi.waitFor(() => expect(requests.waiting).toHaveLength(2));
  });

  it('asks nothing when it comes into sight unchanged', async () => {
    const watch = watched.watch();
    const first = watched.update();
    (await requests.at(0)).answer(at(1));
    await first;
    watch.active = false;
    watch.active = true;
    expect(wanted).toHaveBeenCalledTimes(1);
  });

  it('is asked for by one request at a time, so that no older answer wins', async () => {
    watched.watch();
    const first = watched.update();
    await requests.at(0);
    watched.stale = true;
    const second = watched.update();
    await requests.at(0);
    await new Promise(resolve => setTimeout(resolve));
    expect(requests.waiting).toHaveLength(1);
    (await requests.at(0)).answer(at(1));
    await first;
    (await requests.at(1)).answer(at(2));
    await second;
    expect(watched.value).toEqual(at(2));
  });

  it('refuses a lower revision', async () => {
    watched.watch();
    const first = watched.update();
    (await requests.at(0)).answer(at(7));
    await first;
    watched.stale = true;
    const second = watched.update();
    (await requests.at(1)).answer(at(3));
    expect(await second).toBe(false);
    expect(watched.value).toEqual(at(7));
  });

  it('takes a lower one from another store, and nothing that the old one still says', async () => {
    watched.watch();
    const first = watched.update();
    await requests.at(0);
    watched.reset();
    (await requests.at(0)).answer(at(90));
    await first;
    expect(watched.value).toBeNull();
    const second = watched.update();
    (await requests.at(1)).answer(at(1));
    await second;
    expect(watched.value).toEqual(at(1));
  });

  it('that changes while it is on its way is stale afterwards', async () => {
    watched.watch();
    const first = watched.update();
    await requests.at(0);
    watched.stale = true;
    (await requests.at(0)).answer(at(1));
    await first;
    expect(watched.stale).toBe(true);
  });

  it('is missing after a 404 until somebody comes for it again', async () => {
    watched.watch();
    const first = watched.update();
    (await requests.at(0)).refuse(new ApiError('There is none.', 404));
    expect(await first).toBe(true);
    expect([watched.missing, watched.error, watched.stale]).toEqual([
      true,
      '',
      false
    ]);
    watched.watch();
    expect(watched.stale).toBe(true);
  });

  it('says why it could not be fetched, keeps what it knows, and stays stale', async () => {
    watched.watch();
    const first = watched.update();
    (await requests.at(0)).answer(at(1));
    await first;
    watched.stale = true;
    const second = watched.update();
    (await requests.at(1)).refuse(new ApiError('The store is locked.', 500));
    expect(await second).toBe(true);
    expect(watched.value).toEqual(at(1));
    expect([watched.error, watched.stale]).toEqual([
      'The store is locked.',
      true
    ]);
  });
});

describe('resources by id', () => {
  it('are fetched for who comes while the fetch for who left is on its way', async () => {
    const requests = new Requests<IRecord>();
    const all = new WatchedSet<IRecord>({
      fetch: requests.ask,
      revisionOf: ({ revision }) => revision,
      wanted: () => undefined
    });
    const left = all.watch('a');
    const first = all.update();
    await requests.at(0);
    left.dispose();
    all.watch('a');
    (await requests.at(0)).answer({ id: 'a', revision: 1 });
    await first;
    expect(all.get('a')?.stale).toBe(true);
    const second = all.update();
    (await requests.at(1)).answer({ id: 'a', revision: 2 });
    await second;
    expect(all.get('a')?.value?.revision).toBe(2);
  });
});

describe('records', () => {
  it('take what is newer and refuse what is older', () => {
    const byId = (a: IRecord, b: IRecord) => (a.id < b.id ? -1 : 1);
    const none = new Records<IRecord>(byId);
    const some = none.with(
      [
        { id: 'b', revision: 5 },
        { id: 'a', revision: 4 }
      ],
      5
    );
    expect(some.sorted.map(({ id }) => id)).toEqual(['a', 'b']);
    expect(some.with([{ id: 'b', revision: 3 }], 4)).toBe(some);
    expect(some.revision).toBe(5);
    const more = some.with([{ id: 'b', revision: 6 }], 6);
    expect(more.byId.get('b')?.revision).toBe(6);
    expect(more.byId.get('a')).toBe(some.byId.get('a'));
  });
});
