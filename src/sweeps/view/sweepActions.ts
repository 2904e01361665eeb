import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { SweepChange } from '../../api/schema';

/** What a person can do in the view; the same object for as long as the view lives. */
export interface IPageActions {
  readonly commands: CommandRegistry;
  execute(command: string, args?: ReadonlyPartialJSONObject): void;
  /** Change the sweep; what is refused is said in the view. */
  change(change: Partial<SweepChange>): void;
}
