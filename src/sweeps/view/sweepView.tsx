import * as React from 'react';
import type { RunSummary, SweepChange } from '../../api/schema';
import type { IModelChange } from '../../model';
import { CommandIDs } from '../../model/commandIds';
import type { IWatch } from '../../model/resource';
import type { Selection } from '../../model/selection';
import { type IModelViewOptions, ModelView } from '../../ui/modelView';
import { canOpen, type IRunActions } from './runRow';
import type { IPageActions } from './sweepActions';
import { SweepPage } from './sweepPage';

export interface ISweepViewOptions extends IModelViewOptions {
  sweepId: string;
}

/** One sweep in the main area. */
export class SweepView
  extends ModelView<ISweepViewOptions>
  implements IPageActions, IRunActions
{
  constructor(options: ISweepViewOptions) {
    super(options);
    this.addClass('jp-MlopsSweepView');
    const { model, sweepId } = options;
    this._runs = this.watch(model.watchRuns(sweepId));
    this._selection = model.selection(sweepId);
    this._selection.changed.connect(this._follow, this);
    this._follow();
  }

  /** Watch the details of the run that is selected. */
  private _follow(): void {
    const before = this._details;
    const id = this._selection.current;
    this._details =
      id === null ? null : this.watch(this.options.model.watchRun(id));
    if (before) {
      this.leave(before);
    }
    this.redraw();
  }

  change(change: Partial<SweepChange>): void {
    const { model, sweepId } = this.options;
    void this.attempt(async () => {
      await model.client.changeSweep(sweepId, change);
      await model.refresh();
    });
  }

  open(run: RunSummary): void {
    // a failed one opens at the failing cell: the command knows which
    if (canOpen(run)) {
      this.execute(CommandIDs.openRun, {
        id: run.id,
        sweepId: run.sweep_id
      });
    }
  }

  stop(run: RunSummary): void {
    this.execute(CommandIDs.stopRun, { id: run.id });
  }

  mlflow(run: RunSummary): void {
    const { model, sweepId } = this.options;
    this.execute(CommandIDs.openMlflow, {
      experimentId: model.sweep(sweepId)?.mlflow_experiment_id ?? '',
      runId: run.mlflow_run_id ?? ''
    });
  }

  canPromote(run: RunSummary): boolean {
    const sweep = this.options.model.sweep(run.sweep_id);
    // one of a step is in a pipeline already
    return run.state === 'succeeded' && !!sweep && !sweep.pipeline_run;
  }

  promote(run: RunSummary): void {
    this.execute(CommandIDs.promote, { runId: run.id });
  }

  protected override render(): JSX.Element {
    const { model, sweepId, trans } = this.options;
    const sweep = model.sweep(sweepId);
    if (!sweep) {
      return (
        <p className="jp-MlopsNothing">
          {this.problem ||
            (this._runs.missing
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
        details={model.runDetails(this._selection.current ?? '')}
        selection={this._selection}
        error={this.problem}
        actions={this}
        runActions={this}
        trans={trans}
      />
    );
  }

  protected override concerns(change: IModelChange): boolean {
    const { sweepId } = this.options;
    return change.sweeps.has(sweepId) || change.runs.has(sweepId);
  }

  private readonly _runs: IWatch;
  private readonly _selection: Selection;
  private _details: IWatch | null = null;
}
