import { PathExt } from '@jupyterlab/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import type { Message } from '@lumino/messaging';
import * as React from 'react';
import type { Client } from '../../api/client';
import type { GraphStep, PipelineRun, StepRun } from '../../api/schema';
import { CommandIDs, type IMlopsModel, type IModelChange } from '../../tokens';
import { PipelinePage } from './page';
import type { IPipelineActions } from './parts';

export interface IPipelineViewOptions {
  pipelineId: string;
  model: IMlopsModel;
  commands: CommandRegistry;
  trans: TranslationBundle;
}

/** One pipeline in the main area. */
export class PipelineView extends ReactWidget implements IPipelineActions {
  constructor(private readonly _options: IPipelineViewOptions) {
    super();
    this.addClass('jp-MlopsPipelineView');
    this._watch = _options.model.watchPipeline(_options.pipelineId);
    _options.model.changed.connect(this._onChanged, this);
    _options.commands.commandChanged.connect(this._redraw, this);
  }

  get pipelineId(): string {
    return this._options.pipelineId;
  }

  get commands(): CommandRegistry {
    return this._options.commands;
  }

  get client(): Client {
    return this._options.model.client;
  }

  execute(command: string, args: ReadonlyPartialJSONObject = {}): void {
    void this._say(async () => {
      await this._options.commands.execute(command, args);
    });
  }

  openNotebook(step: GraphStep, run: StepRun | undefined): void {
    void this._say(async () => {
      const { commands } = this._options;
      const id = run?.notebook_run || (await this._executing(step, run));
      if (id) {
        await commands.execute(CommandIDs.openRun, { id });
        return;
      }
      const { model, pipelineId } = this._options;
      const path = model.pipeline(pipelineId)?.path ?? '';
      await commands.execute('docmanager:open', {
        path: PathExt.join(PathExt.dirname(path), step.notebook)
      });
    });
  }

  openMlflow(step: StepRun): void {
    void this._say(async () => {
      const { client } = this._options.model;
      const run = await client.run(step.notebook_run);
      const sweep = await client.sweep(run.sweep_id);
      await this._options.commands.execute(CommandIDs.openMlflow, {
        experimentId: sweep.mlflow_experiment_id,
        runId: run.mlflow_run_id
      });
    });
  }

  showRun(id: string | null): void {
    // what is followed stays so, in order that the next one is shown when it comes
    this._chosen = id === this._followed ? null : id;
    this._follow();
    this._redraw();
  }

  override dispose(): void {
    this._watch.dispose();
    this._runWatch?.dispose();
    super.dispose();
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.update();
  }

  protected override render(): JSX.Element {
    const { model, pipelineId, trans } = this._options;
    const pipeline = model.pipeline(pipelineId);
    if (!pipeline) {
      return (
        <p className="jp-MlopsNothing">
          {model.error ||
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
        pipelines={model.pipelines()}
        error={this._refused || model.error}
        actions={this}
        trans={trans}
      />
    );
  }

  /** The run that goes on, else the newest. */
  private get _followed(): string | null {
    const { model, pipelineId } = this._options;
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
    const { runs } = await this._options.model.client.runs(sweep);
    return runs[0]?.id ?? '';
  }

  /** Watch the run that was chosen, else the one that tells most. */
  private _follow(): void {
    const { model } = this._options;
    const id = this._chosen ?? this._followed;
    if (id !== this._shown) {
      this._shown = id;
      const before = this._runWatch;
      this._runWatch = id === null ? null : model.watchPipelineRun(id);
      before?.dispose();
    }
  }

  private _onChanged(_: IMlopsModel, change: IModelChange): void {
    if (change.status || change.pipelines.has(this._options.pipelineId)) {
      this._follow();
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
  private _runWatch: IDisposable | null = null;
  private _chosen: string | null = null;
  private _shown: string | null = null;
  private _refused = '';
}

function isRunning({ state }: PipelineRun): boolean {
  return state === 'running';
}
