/** When to fetch: Jupyter's event bus announces changes, and a poll finds those that it did not. */
import type { Event } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { Poll } from '@lumino/polling';
import type { ISignal } from '@lumino/signaling';

/** Revisions of the store, on Jupyter's event bus. */
export const CHANGES_SCHEMA =
  'https://events.jupyter.org/jupyter_mlops/changes/v1';

/** The part of `serviceManager.events` that is used. */
export type EventStream = ISignal<unknown, Event.Emission>;

export interface IChangesOptions {
  /** Without an event bus it polls. */
  events: EventStream | undefined;
  /** Milliseconds between fetches while events announce every change. */
  calm: number;
  /** Milliseconds between fetches while nothing tells that events arrive. */
  eager: number;
  /** The revision known here. */
  revision(): number;
  /** Fetch what is newer. */
  fetch(): Promise<void>;
}

/** Fetches when the event bus announces a revision, and by itself every few seconds where no events arrive. */
export class Changes implements IDisposable {
  constructor(private readonly _options: IChangesOptions) {
    _options.events?.connect(this._onEvent, this);
    this._poll = new Poll({
      auto: false,
      name: 'jupyter-mlops:changes',
      factory: () => this._look(),
      frequency: { interval: _options.eager, backoff: false },
      standby: 'when-hidden'
    });
  }

  get isDisposed(): boolean {
    return this._poll.isDisposed;
  }

  dispose(): void {
    this._options.events?.disconnect(this._onEvent, this);
    this._poll.dispose();
  }

  async start(): Promise<void> {
    await this._poll.start();
  }

  private async _look(): Promise<void> {
    const { revision, fetch, eager } = this._options;
    const known = revision();
    const announced = this._announced;
    await fetch();
    // a change that no event announced: the bus is silent, so look more often until it speaks
    if (revision() > known && this._announced === announced) {
      this._setInterval(eager);
    }
  }

  private _onEvent(_: unknown, event: Event.Emission): void {
    if (event.schema_id !== CHANGES_SCHEMA) {
      return;
    }
    this._announced += 1;
    this._setInterval(this._options.calm);
    // a lower one than the known: either late, or the store was replaced; the fetch tells which
    if (Number(event['revision']) !== this._options.revision()) {
      void this._options.fetch();
    }
  }

  private _setInterval(interval: number): void {
    if (this._poll.frequency.interval !== interval) {
      this._poll.frequency = { ...this._poll.frequency, interval };
    }
  }

  private readonly _poll: Poll<void>;
  private _announced = 0;
}
