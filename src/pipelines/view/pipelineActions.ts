import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { Client } from '../../api/client';
import type { GraphStep, StepRun, Sweep } from '../../api/schema';

/** What a person can do in the view; the same object for as long as the view lives. */
export interface IPipelineActions {
  readonly commands: CommandRegistry;
  readonly client: Client;
  execute(command: string, args?: ReadonlyPartialJSONObject): void;
  /** The executed notebook, or the one it would execute where nothing was. */
  openNotebook(step: GraphStep, run: StepRun | undefined): void;
  /** What MLflow has of the step's run. */
  openMlflow(run: StepRun): void;
  /** Show a run; null follows the newest one. */
  showRun(id: string | null): void;
}

/** Sweeps that executed the tries of steps tried more than once, by id. */
export type Attempts = ReadonlyMap<string, Sweep>;
