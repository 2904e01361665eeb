import type { TranslationBundle, ITranslator } from '@jupyterlab/translation';
import { listIcon, ReactWidget, refreshIcon } from '@jupyterlab/ui-components';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { CommandRegistry } from '@lumino/commands';
import { Signal, type ISignal } from '@lumino/signaling';
import { Panel } from '@lumino/widgets';
import * as React from 'react';
import type { IMlopsModel } from '../../model';
import { CommandIDs } from '../../model/commandIds';
import type { IWatch } from '../../model/resource';
import { mlopsIcon } from '../../ui/icons';
import { followVisibility } from '../../ui/visibility';
import { NotebookSection } from './notebookSection';
import { PipelinesSection } from './pipelineList';
import { Section } from './section';
import { SweepList } from './sweepList';
import { Compute } from './targets';

export interface IPanelOptions {
  model: IMlopsModel;
  tracker: INotebookTracker;
  commands: CommandRegistry;
  translator: ITranslator;
  /** The notebook's path relative to the server's root; null where it is not a file of this server. */
  localPath(path: string): string | null;
}

/** The left sidebar's panel: notebook, sweeps, pipelines, compute, each as high as its content. */
export class MlopsPanel extends Panel {
  constructor(options: IPanelOptions) {
    super();
    const trans = options.translator.load('jupyter_mlops');
    this.id = 'jp-mlops-panel';
    this.addClass('jp-MlopsPanel');
    this.title.icon = mlopsIcon;
    this.title.caption = trans.__('MLOps');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('MLOps'));
    this.node.tabIndex = -1;
    this._status = options.model.watchStatus();
    followVisibility(this, visible => {
      this._status.active = visible;
    });

    this.notebook = new NotebookSection({ ...options, trans });
    const sweeps = new SweepsSection(options, trans);
    const pipelines = new PipelinesSection({ ...options, trans });
    this._sections = [
      new Section('notebook', trans.__('Notebook'), this.notebook, {
        icon: refreshIcon,
        label: trans.__('Refresh'),
        act: () => {
          void options.model.refresh();
          void this.notebook.reload();
        }
      }),
      new Section('sweeps', trans.__('Sweeps'), sweeps, {
        icon: listIcon,
        label: trans.__('Show archived and deleted sweeps'),
        pressed: () => sweeps.all,
        act: () => sweeps.toggle()
      }),
      new Section('pipelines', trans.__('Pipelines'), pipelines, {
        icon: listIcon,
        label: trans.__('Show deleted pipelines'),
        pressed: () => pipelines.all,
        act: () => pipelines.toggle()
      }),
      new Section(
        'compute',
        trans.__('Compute'),
        new ComputeSection(options, trans)
      )
    ];
    for (const section of this._sections) {
      this.addWidget(section);
      section.toggled.connect(() => this._foldedChanged.emit(this.folded));
    }
  }

  readonly notebook: NotebookSection;

  /** Names of the sections that are folded to their titles. */
  get folded(): string[] {
    return this._sections.filter(({ open }) => !open).map(({ name }) => name);
  }
  set folded(names: readonly string[]) {
    for (const section of this._sections) {
      section.open = !names.includes(section.name);
    }
  }

  /** A person folded or opened a section. */
  get foldedChanged(): ISignal<this, string[]> {
    return this._foldedChanged;
  }

  override dispose(): void {
    this._status.dispose();
    super.dispose();
  }

  /** The focus goes to what one fills in first. */
  protected override onActivateRequest(): void {
    const field = 'form :is(input, select, button):not(:disabled)';
    const first =
      this.node.querySelector<HTMLElement>(field) ??
      this.node.querySelector<HTMLElement>('button');
    (first ?? this.node).focus();
  }

  private readonly _sections: readonly Section[];
  private readonly _status: IWatch;
  private readonly _foldedChanged = new Signal<this, string[]>(this);
}

class SweepsSection extends ReactWidget {
  constructor(
    private readonly _options: IPanelOptions,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-MlopsBody');
    _options.model.changed.connect((_, change) => {
      if (change.sweeps.size > 0 || change.status) {
        this.update();
      }
    }, this);
  }

  /** Whether archived and deleted ones are shown, too. */
  get all(): boolean {
    return this._all;
  }

  toggle(): void {
    this._all = !this._all;
    this.update();
  }

  protected override render(): JSX.Element {
    const { model, commands } = this._options;
    const trans = this._trans;
    const act = (command: string) => (id: string) =>
      void commands.execute(command, { id });
    const actions = {
      trans,
      onOpen: act(CommandIDs.openSweep),
      onStop: act(CommandIDs.stopSweep),
      onRestore: act(CommandIDs.restoreSweep)
    };
    const current = model.sweeps();
    const archived = this._all ? model.sweeps('archived') : [];
    const deleted = this._all ? model.sweeps('deleted') : [];
    return (
      <>
        {model.error && (
          <div className="jp-MlopsProblem" role="alert">
            {model.error}
          </div>
        )}
        {!model.ready && !model.error && (
          <p className="jp-MlopsHint">{trans.__('Looking…')}</p>
        )}
        {model.ready && current.length === 0 && (
          <p
            className="jp-MlopsHint"
            title={trans.__(
              'Say above what to try and press Run: sweeps appear here and go on when JupyterLab is closed.'
            )}
          >
            {trans.__('No sweeps yet.')}
          </p>
        )}
        <SweepList {...actions} sweeps={current} title="" shelf="current" />
        <SweepList
          {...actions}
          sweeps={archived}
          title={trans.__('Archived')}
          shelf="archived"
        />
        <SweepList
          {...actions}
          sweeps={deleted}
          title={trans.__('Deleted')}
          shelf="deleted"
        />
        {this._all && archived.length + deleted.length === 0 && (
          <p className="jp-MlopsHint">
            {trans.__('Nothing archived or deleted.')}
          </p>
        )}
      </>
    );
  }

  private _all = false;
}

class ComputeSection extends ReactWidget {
  constructor(
    private readonly _options: IPanelOptions,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-MlopsBody');
    _options.model.changed.connect((_, change) => {
      if (change.status) {
        this.update();
      }
    }, this);
  }

  protected override render(): JSX.Element {
    const { model, commands } = this._options;
    return (
      <Compute
        status={model.status}
        trans={this._trans}
        onMlflow={() => void commands.execute(CommandIDs.openMlflow)}
        onLog={() => void commands.execute(CommandIDs.showServiceLog)}
      />
    );
  }
}
