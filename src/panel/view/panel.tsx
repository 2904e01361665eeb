import type { TranslationBundle, ITranslator } from '@jupyterlab/translation';
import {
  PanelWithToolbar,
  ReactWidget,
  refreshIcon,
  SidePanel,
  ToolbarButton,
  listIcon
} from '@jupyterlab/ui-components';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { CommandRegistry } from '@lumino/commands';
import type { Message } from '@lumino/messaging';
import { AccordionPanel, type Widget } from '@lumino/widgets';
import * as React from 'react';
import type { IMlopsModel } from '../../model';
import { CommandIDs } from '../../model/commandIds';
import type { IWatch } from '../../model/resource';
import { mlopsIcon } from '../../ui/icons';
import { followVisibility } from '../../ui/visibility';
import { NotebookSection } from './notebookSection';
import { PipelinesSection } from './pipelineList';
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

/** Shares of the height that notebook, sweeps, pipelines and compute begin with. */
const SIZES = [0.46, 0.2, 0.18, 0.16];

/** The left sidebar's panel: notebook, sweeps, pipelines, compute. */
export class MlopsPanel extends SidePanel {
  constructor(options: IPanelOptions) {
    super({ translator: options.translator });
    this._model = options.model;
    const trans = options.translator.load('jupyter_mlops');
    this.id = 'jp-mlops-panel';
    this.addClass('jp-MlopsPanel');
    this.title.icon = mlopsIcon;
    this.title.caption = trans.__('MLOps');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('MLOps'));
    this._status = options.model.watchStatus();
    followVisibility(this, visible => {
      this._status.active = visible;
    });

    this.notebook = new NotebookSection({ ...options, trans });
    const sweeps = new SweepsSection(options, trans);
    const pipelines = new PipelinesSection({ ...options, trans });
    const compute = new ComputeSection(options, trans);
    this.toolbar.addItem(
      'refresh',
      new ToolbarButton({
        icon: refreshIcon,
        tooltip: trans.__('Refresh'),
        onClick: () => {
          void this._model.refresh();
          void this.notebook.reload();
        }
      })
    );
    this.toolbar.node.setAttribute('aria-label', trans.__('MLOps'));

    this._add(this.notebook, trans.__('Notebook'));
    const list = this._add(sweeps, trans.__('Sweeps'));
    list.toolbar.addItem(
      'shelves',
      new ToolbarButton({
        icon: listIcon,
        tooltip: trans.__('Show archived and deleted sweeps'),
        pressedTooltip: trans.__('Hide archived and deleted sweeps'),
        onClick: () => sweeps.toggle()
      })
    );
    const section = this._add(pipelines, trans.__('Pipelines'));
    section.toolbar.addItem(
      'shelves',
      new ToolbarButton({
        icon: listIcon,
        tooltip: trans.__('Show deleted pipelines'),
        pressedTooltip: trans.__('Hide deleted pipelines'),
        onClick: () => pipelines.toggle()
      })
    );
    this._add(compute, trans.__('Compute'));
  }

  readonly notebook: NotebookSection;

  override dispose(): void {
    this._status.dispose();
    super.dispose();
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    if (!this._sized) {
      this._sized = true;
      // the form is what one comes for; equal thirds would hide most of it
      requestAnimationFrame(() => {
        if (!this.isDisposed && this.content instanceof AccordionPanel) {
          this.content.setRelativeSizes(SIZES);
        }
      });
    }
  }

  private _add(widget: Widget, label: string): PanelWithToolbar {
    const section = new PanelWithToolbar();
    section.addClass('jp-MlopsSection');
    section.title.label = label;
    section.addWidget(widget);
    this.addWidget(section);
    return section;
  }

  private readonly _model: IMlopsModel;
  private readonly _status: IWatch;
  private _sized = false;
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
          <p className="jp-MlopsHint">
            {trans.__(
              'No sweeps yet. Say above what to try and press Run: they appear here and go on when JupyterLab is closed.'
            )}
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
