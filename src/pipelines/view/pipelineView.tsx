import { PathExt } from '@jupyterlab/coreutils';
import * as React from 'react';
import type { Client } from '../../api/client';
import type { GraphStep, PipelineRun, StepRun } from '../../api/schema';
import type { IModelChange } from '../../model';
import { CommandIDs } from '../../model/commandIds';
import type { IWatch } from '../../model/resource';
import { type IModelViewOptions, ModelView } from '../../ui/modelView';
import type { IPipelineActions } from './pipelineActions';
import { PipelinePage } from './pipelinePage';

export interface IPipelineViewOptions extends IModelViewOptions {
  pipelineId: string;
}

/** One pipeline in the main area. */
export class PipelineView
  extends ModelView<IPipelineViewOptions>
  implements IPipelineActions
{
  constructor(options: IPipelineViewOptions) {
    super(options);
    this.addClass('jp-MlopsPipelineView');
    this.watch(options.model.watchPipeline(options.pipelineId));
  }

  get pipelineId(): string {
    return this.options.pipelineId;
  }

  get client(): Client {
    return this.options.model.client;
  }

  openNotebook(step: GraphStep, run: StepRun | undefined): void {
    void this.attempt(async () => {
      const { commands } = this.options;
      const id = run?.notebook_run || (await this._executing(step, run));
      if (id) {
        await commands.execute(CommandIDs.openRun, { id });
        return;
      }
      const { model, pipelineId } = this.options;
      const path = model.pipeline(pipelineId)?.path ?? '';
      await commands.execute('docmanager:open', {
        path: PathExt.join(PathExt.dirname(path), step.notebook)
      });
    });
  }

  openMlflow(step: StepRun): void {
    void this.attempt(async () => {
      const { client } = this.options.model;
      const run = await client.run(step.notebook_run);
      const sweep = await client.sweep(run.sweep_id);
      await this.options.commands.execute(CommandIDs.openMlflow, {
        experimentId: sweep.mlflow_experiment_id,
        runId: run.mlflow_run_id
      });
    });
  }

  showRun(id: string | null): void {
    // what is followed stays so, in order that the next one is shown when it comes
    this._chosen = id === this._followed ? null : id;
    this._follow();
    this.redraw();
  }

  protected override render(): JSX.Element {
    const { model, pipelineId, trans } = this.options;
    const pipeline = model.pipeline(pipelineId);
    if (!pipeline) {
      return (
        <p className="jp-MlopsNothing">
          {this.problem ||
            (model.ready
              ? trans.__(
                  'There is no such pipeline: it was deleted for good, or belongs to a file outside this server’s folder.'
                )
              : trans.__('The pipeline is being fetched.'))}
        </p>
      );
    }
    return (
      <PipelinePage
        pipeline={pipeline}
        details={model.pipelineDetails(pipelineId)}
        runs={model.pipelineRuns(pipelineId)}
        runId={this._shown}
        run={this._shown === null ? null : model.pipelineRun(this._shown)}
        runMissing={this._runWatch?.missing ?? false}
        pipelines={model.pipelines()}
        error={this.problem}
        actions={this}
        trans={trans}
      />
    );
  }

  /** The run that goes on, else the newest. */
  private get _followed(): string | null {
    const { model, pipelineId } = this.options;
    const runs = model.pipelineRuns(pipelineId);
    return (runs.find(isRunning) ?? runs[0])?.id ?? null;
  }

  /** The run that executes a step which is no sweep; empty before there is one. */
  private async _executing(
    step: GraphStep,
    run: StepRun | undefined
  ): Promise<string> {
    const sweep = run?.sweeps.at(-1);
    if (!sweep || step.sweep) {
      return '';
    }
    const { runs } = await this.options.model.client.runs(sweep);
    return runs[0]?.id ?? '';
  }

  /** Watch the run that was chosen, else the one that tells most. */
  private _follow(): void {
    const { model } = this.options;
    const id = this._chosen ?? this._followed;
    if (id !== this._shown) {
      this._shown = id;
      const before = this._runWatch;
      this._runWatch =
        id === null ? null : this.watch(model.watchPipelineRun(id));
      if (before) {
        this.leave(before);
      }
    }
  }

  protected override concerns(change: IModelChange): boolean {
    const { pipelines } = change;
    return (
      pipelines.has(this.options.pipelineId) ||
      (this._shown !== null && pipelines.has(this._shown))
    );
  }

  protected override onChanged(): void {
    this._follow();
    super.onChanged();
  }

  private _runWatch: IWatch | null = null;
  private _chosen: string | null = null;
  private _shown: string | null = null;
}

function isRunning({ state }: PipelineRun): boolean {
  return state === 'running';
}
