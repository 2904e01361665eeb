import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import type { Message } from '@lumino/messaging';
import * as React from 'react';
import type { Run, SweepChange } from '../../api/schema';
import { CommandIDs, type IMlopsModel, type IModelChange } from '../../tokens';
import { SweepPage } from './page';
import type { IPageActions } from './parts';
import { canOpen, type IRunActions } from './row';

export interface ISweepViewOptions {
  sweepId: string;
  model: IMlopsModel;
  commands: CommandRegistry;
  trans: TranslationBundle;
}

/** One sweep in the main area. */
export class SweepView
  extends ReactWidget
  implements IPageActions, IRunActions
{
  constructor(private readonly _options: ISweepViewOptions) {
    super();
    this.addClass('jp-MlopsSweepView');
    this._watch = _options.model.watchRuns(_options.sweepId);
    _options.model.changed.connect(this._onChanged, this);
    _options.commands.commandChanged.connect(this._redraw, this);
  }

  get commands(): CommandRegistry {
    return this._options.commands;
  }

  execute(command: string, args: ReadonlyPartialJSONObject = {}): void {
    void this._say(async () => {
      await this._options.commands.execute(command, args);
    });
  }

  change(change: Partial<SweepChange>): void {
    const { model, sweepId } = this._options;
    void this._say(async () => {
      await model.client.changeSweep(sweepId, change);
      await model.refresh();
    });
  }

  open(run: Run): void {
    // a failed one opens at the failing cell: the command knows which
    if (canOpen(run)) {
      this.execute(CommandIDs.openRun, {
        id: run.id,
        sweepId: run.sweep_id
      });
    }
  }

  stop(run: Run): void {
    this.execute(CommandIDs.stopRun, { id: run.id });
  }

  mlflow(run: Run): void {
    const { model, sweepId } = this._options;
    this.execute(CommandIDs.openMlflow, {
      experimentId: model.sweep(sweepId)?.mlflow_experiment_id ?? '',
      runId: run.mlflow_run_id ?? ''
    });
  }

  canPromote(run: Run): boolean {
    const sweep = this._options.model.sweep(run.sweep_id);
    // one of a step is in a pipeline already
    return run.state === 'succeeded' && !!sweep && !sweep.pipeline_run;
  }

  promote(run: Run): void {
    this.execute(CommandIDs.promote, { runId: run.id });
  }

  override dispose(): void {
    this._watch.dispose();
    super.dispose();
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.update();
  }

  protected override render(): JSX.Element {
    const { model, sweepId, trans } = this._options;
    const sweep = model.sweep(sweepId);
    if (!sweep) {
      return (
        <p className="jp-MlopsNothing">
          {model.error ||
            (model.ready && model.runsLoaded(sweepId)
              ? trans.__(
                  'There is no such sweep: it was deleted for good, or belongs to a notebook outside this server’s folder.'
                )
              : trans.__('The sweep is being fetched.'))}
        </p>
      );
    }
    return (
      <SweepPage
        sweep={sweep}
        runs={model.runs(sweepId)}
        loaded={model.runsLoaded(sweepId)}
        error={this._refused || model.error}
        actions={this}
        runActions={this}
        trans={trans}
      />
    );
  }

  private _onChanged(_: IMlopsModel, change: IModelChange): void {
    const { sweepId } = this._options;
    if (
      change.status ||
      change.sweeps.has(sweepId) ||
      change.runs.has(sweepId)
    ) {
      this._redraw();
    }
  }

  private _redraw(): void {
    // a tab in the back is drawn when it comes to the front
    if (this.isVisible) {
      this.update();
    }
  }

  private async _say(action: () => Promise<void>): Promise<void> {
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

  private readonly _watch: IDisposable;
  private _refused = '';
}
