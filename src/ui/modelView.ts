import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { IMlopsModel, IModelChange } from '../model';
import type { IWatch } from '../model/resource';
import { followVisibility } from './visibility';

export interface IModelViewOptions {
  model: IMlopsModel;
  commands: CommandRegistry;
  trans: TranslationBundle;
}

/** A tab of the main area that shows something of the model, and says what was refused. */
export abstract class ModelView<
  Options extends IModelViewOptions
> extends ReactWidget {
  constructor(protected readonly options: Options) {
    super();
    options.model.changed.connect(this._onChanged, this);
    options.commands.commandChanged.connect(this.redraw, this);
    followVisibility(this, visible => {
      for (const watch of this._watches) {
        watch.active = visible;
      }
      if (visible) {
        this.update();
      }
    });
  }

  override dispose(): void {
    for (const watch of this._watches) {
      watch.dispose();
    }
    super.dispose();
  }

  get commands(): CommandRegistry {
    return this.options.commands;
  }

  execute(command: string, args: ReadonlyPartialJSONObject = {}): void {
    void this.attempt(async () => {
      await this.options.commands.execute(command, args);
    });
  }

  /** Watch something for as long as the view lives, or until the watch is left; it is fetched while the view is in sight. */
  protected watch<T extends IWatch>(watch: T): T {
    this._watches.add(watch);
    watch.active = this.isVisible;
    return watch;
  }

  protected leave(watch: IWatch): void {
    this._watches.delete(watch);
    watch.dispose();
  }

  /** What stands above the page: what was refused last, else what the model suffers from. */
  protected get problem(): string {
    return (
      this._refused ||
      this.options.model.error ||
      ([...this._watches].find(({ error }) => error)?.error ?? '')
    );
  }

  protected redraw(): void {
    // a tab in the back is drawn when it comes to the front
    if (this.isVisible) {
      this.update();
    }
  }

  /** Do something; the reason why it could not be done is shown until the next attempt. */
  protected async attempt(action: () => Promise<void>): Promise<void> {
    let refused = '';
    try {
      await action();
    } catch (error) {
      refused = error instanceof Error ? error.message : String(error);
    }
    if (refused !== this._refused && !this.isDisposed) {
      this._refused = refused;
      this.update();
    }
  }

  /** Whether a change is one of what is shown. */
  protected abstract concerns(change: IModelChange): boolean;

  protected onChanged(): void {
    this.redraw();
  }

  private _onChanged(_: IMlopsModel, change: IModelChange): void {
    if (change.status || this.concerns(change)) {
      this.onChanged();
    }
  }

  private readonly _watches = new Set<IWatch>();
  private _refused = '';
}
