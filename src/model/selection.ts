/** Which runs of a sweep are selected: one object a sweep, which everything that shows its runs shares. */
import { Signal, type ISignal } from '@lumino/signaling';

export class Selection {
  /** Ids, in the order in which they were selected. */
  get runs(): readonly string[] {
    return this._runs;
  }

  /** The one that was selected last, whose details are shown. */
  get current(): string | null {
    return this._runs.at(-1) ?? null;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Select these runs instead of the present ones. */
  select(...runs: string[]): void {
    if (
      runs.length !== this._runs.length ||
      runs.some((run, i) => run !== this._runs[i])
    ) {
      this._runs = runs;
      this._changed.emit();
    }
  }

  private _runs: readonly string[] = [];
  private readonly _changed = new Signal<this, void>(this);
}
