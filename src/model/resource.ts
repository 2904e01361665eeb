/** What the server keeps and this page shows: fetched while it is looked at, one request at a time. */
import type { IDisposable } from '@lumino/disposable';
import { ApiError } from '../api/request';

/** A view's interest in a resource, which is kept until the last interest in it is disposed. */
export interface IWatch extends IDisposable {
  /**
   * Whether the view is in sight. A resource that no view in sight watches is not fetched: it is marked stale when it
   * changes, and fetched when one comes into sight.
   */
  active: boolean;
  /** Whether the server says that there is no such thing. */
  readonly missing: boolean;
  /** Why the last fetch failed; empty while all is well. */
  readonly error: string;
}

export interface IWatchedOptions<T> {
  /** Ask the server; answers with `known` itself where nothing is different. */
  fetch(known: T | null): Promise<T>;
  /** Revision of a value; one with a lower revision than the present value is refused. */
  revisionOf(value: T): number;
  /** Called when it is stale and somebody looks at it. */
  wanted(): void;
}

/** One resource: its value as last fetched, and who watches it. */
export class Watched<T> {
  constructor(private readonly _options: IWatchedOptions<T>) {}

  /** Null until it was fetched once, and where it is missing. */
  get value(): T | null {
    return this._value;
  }

  get missing(): boolean {
    return this._missing;
  }

  get error(): string {
    return this._error;
  }

  /** Whether anybody watches it. */
  get isWatched(): boolean {
    return this._watches.size > 0;
  }

  /** Whether somebody who is in sight watches it. */
  get isActive(): boolean {
    return [...this._watches].some(({ active }) => active);
  }

  /** Watch it, in sight from the beginning. */
  watch(released: () => void = () => undefined): IWatch {
    const watch = new Watch(
      this,
      () => this.isActive && this.stale && this._options.wanted(),
      () => {
        this._watches.delete(watch);
        released();
      }
    );
    this._watches.add(watch);
    // what was looked for in vain may be there by now
    this.stale ||= this._missing;
    if (this.stale) {
      this._options.wanted();
    }
    return watch;
  }

  /** Whether it may be different on the server. */
  stale = true;

  /** Forget the value, and what is on its way: another store stands behind the server now. */
  reset(): void {
    this._generation += 1;
    this._value = null;
    this._missing = false;
    this._error = '';
    this.stale = true;
  }

  /** Fetch it where it is stale and in sight; answers whether anything about it is different. Never rejects. */
  async update(): Promise<boolean> {
    // a second request could be answered before the first, and then the older answer would win
    await this._fetching;
    if (!this.stale || !this.isActive) {
      return false;
    }
    const update = this._fetch();
    this._fetching = update.then(() => undefined);
    return update;
  }

  private async _fetch(): Promise<boolean> {
    // a change while it is on its way makes it stale again
    this.stale = false;
    const generation = this._generation;
    let value = this._value;
    let missing = false;
    let error = '';
    try {
      const answer = await this._options.fetch(this._value);
      const { revisionOf } = this._options;
      if (value === null || revisionOf(answer) >= revisionOf(value)) {
        value = answer;
      }
    } catch (reason) {
      if (reason instanceof ApiError && reason.status === 404) {
        missing = true;
        value = null;
      } else {
        error = reason instanceof Error ? reason.message : String(reason);
      }
    }
    if (generation !== this._generation) {
      return true;
    }
    const different =
      value !== this._value ||
      missing !== this._missing ||
      error !== this._error;
    this._value = value;
    this._missing = missing;
    this._error = error;
    this.stale ||= error !== '';
    return different;
  }

  private readonly _watches = new Set<Watch>();
  private _value: T | null = null;
  private _missing = false;
  private _error = '';
  private _generation = 0;
  private _fetching: Promise<void> = Promise.resolve();
}

class Watch implements IWatch {
  constructor(
    private readonly _watched: Watched<unknown>,
    private readonly _activated: () => void,
    private readonly _released: () => void
  ) {}

  get active(): boolean {
    return this._active;
  }

  set active(active: boolean) {
    if (active !== this._active && !this._disposed) {
      this._active = active;
      this._activated();
    }
  }

  get missing(): boolean {
    return this._watched.missing;
  }

  get error(): string {
    return this._watched.error;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      this._released();
    }
  }

  private _active = true;
  private _disposed = false;
}

/** Resources of one kind by id, each there for as long as it is watched. */
export class WatchedSet<T> {
  constructor(
    private readonly _options: {
      fetch(id: string, known: T | null): Promise<T>;
      revisionOf(value: T): number;
      wanted(): void;
    }
  ) {}

  get(id: string): Watched<T> | undefined {
    return this._all.get(id);
  }

  [Symbol.iterator](): Iterator<[string, Watched<T>]> {
    return this._all[Symbol.iterator]();
  }

  watch(id: string): IWatch {
    const { fetch, revisionOf, wanted } = this._options;
    const watched =
      this._all.get(id) ??
      new Watched<T>({
        fetch: known => fetch(id, known),
        revisionOf,
        wanted
      });
    this._all.set(id, watched);
    return watched.watch(() => {
      if (!watched.isWatched) {
        this._all.delete(id);
      }
    });
  }

  /** Fetch what is stale and in sight; answers the ids of what is different. */
  async update(): Promise<string[]> {
    const all = [...this._all];
    const different = await Promise.all(
      all.map(([, watched]) => watched.update())
    );
    return all.filter((_, index) => different[index]).map(([id]) => id);
  }

  /** Forget all values: another store stands behind the server now. */
  reset(): void {
    for (const watched of this._all.values()) {
      watched.reset();
    }
  }

  private readonly _all = new Map<string, Watched<T>>();
}

interface IRecord {
  readonly id: string;
  readonly revision: number;
}

/** Where a look at records of which there are several pages goes on. */
interface ICursor {
  /** What the next page begins with; 0 for another look. */
  readonly next: number;
  /** Revision of the store at the first page. */
  readonly revision: number;
}

/** Records of which only those newer than the last look are fetched. Immutable, but for how far that look has come. */
export class Records<T extends IRecord> {
  constructor(
    private readonly _compare: (a: T, b: T) => number,
    readonly byId: ReadonlyMap<string, T> = new Map<string, T>(),
    /** Revision of the store at the last look that saw all pages. */
    public revision = 0,
    /** Null while there is nothing more to fetch. */
    public cursor: ICursor | null = null
  ) {
    this.sorted = [...byId.values()].sort(_compare);
  }

  readonly sorted: readonly T[];

  /**
   * With these besides; itself where it has them all, or newer ones.
   *
   * @param next what the next page begins with; null for the last one.
   */
  with(
    records: readonly T[],
    revision: number,
    next: number | null = null
  ): Records<T> {
    const begun = this.cursor?.next ? this.cursor.revision : revision;
    if (next === null) {
      this.revision = Math.max(this.revision, begun);
      // what changed between two pages is left for another look
      this.cursor = begun < revision ? { next: 0, revision } : null;
    } else {
      this.cursor = { next, revision: begun };
    }
    const newer = records.filter(
      record => (this.byId.get(record.id)?.revision ?? -1) < record.revision
    );
    return newer.length === 0
      ? this
      : new Records(
          this._compare,
          new Map([
            ...this.byId,
            ...newer.map(record => [record.id, record] as const)
          ]),
          this.revision,
          this.cursor
        );
  }
}
