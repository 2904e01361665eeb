import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type {
  INotebookModel,
  INotebookTracker,
  NotebookPanel
} from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import * as React from 'react';
import type { SweepRequest } from '../../api/schema';
import type { IMlopsModel } from '../../model';
import { CommandIDs } from '../../model/commandIds';
import { DRIVE } from '../../model/paths';
import { compact } from '../../model/sweepRequest';
import { notifyError } from '../../ui/notifyErrors';
import { NotebookForm } from '../notebookFormState';
import { NotebookFormView } from './notebookForm';

export interface INotebookSectionOptions {
  model: IMlopsModel;
  tracker: INotebookTracker;
  commands: CommandRegistry;
  trans: TranslationBundle;
  localPath(path: string): string | null;
}

type Context = DocumentRegistry.IContext<INotebookModel>;

/** The form of the notebook in front; forms of other open notebooks keep what was typed. */
export class NotebookSection extends ReactWidget {
  constructor(private readonly _options: INotebookSectionOptions) {
    super();
    this.addClass('jp-MlopsBody');
    this.addClass('jp-MlopsNotebook');
    const { tracker, model } = _options;
    tracker.currentChanged.connect(this._onCurrent, this);
    model.changed.connect((_, change) => {
      if (change.status) {
        this.update();
      }
      for (const id of change.ended) {
        // which metrics it has and how long a run takes is known better now
        void this.formOf(model.sweep(id)?.path ?? '')?.load();
      }
    }, this);
    this._onCurrent(tracker, tracker.currentWidget);
  }

  /** The form in front, null where no notebook of this server is open. */
  get form(): NotebookForm | null {
    return this._form;
  }

  /** Read the notebook's file again. */
  async reload(): Promise<void> {
    await this._form?.load();
  }

  /** The form of a path where it is open; it holds what has not reached the store yet. */
  formOf(path: string): NotebookForm | undefined {
    return [...this._forms.values()].find(form => form.path === path);
  }

  override dispose(): void {
    for (const form of this._forms.values()) {
      form.dispose();
    }
    this._forms.clear();
    super.dispose();
  }

  protected override render(): JSX.Element {
    const { trans, model, tracker } = this._options;
    const panel = this._panel;
    if (!panel) {
      return (
        <p
          className="jp-MlopsHint"
          title={trans.__(
            'The parameters that it declares appear here, each with a field for what to try.'
          )}
        >
          {trans.__('Open a notebook to sweep it.')}
        </p>
      );
    }
    if (!this._form) {
      return (
        <p className="jp-MlopsHint">
          {tracker.currentWidget?.context.path.startsWith(`${DRIVE}:`)
            ? trans.__(
                'This is a notebook as a run executed it. Open the notebook itself to sweep it.'
              )
            : trans.__(
                'This notebook is not a file of this server. Open one from the file browser to sweep it.'
              )}
        </p>
      );
    }
    return (
      <>
        <div className="jp-MlopsNotebook-path" title={this._form.path}>
          {this._form.path.split('/').pop()}
        </div>
        <NotebookFormView
          key={this._form.path}
          form={this._form}
          targets={model.status?.targets ?? []}
          starting={this._starting.has(this._form.path)}
          unsaved={tracker.currentWidget?.context.model.dirty ?? false}
          trans={trans}
          onRun={() => void this._run()}
          onTag={() => void this._tag()}
          onKeep={keep => void this._keep(keep)}
        />
      </>
    );
  }

  private _onCurrent(_: unknown, panel: NotebookPanel | null): void {
    this._leave();
    this._panel = panel;
    this._form = null;
    if (panel) {
      panel.context.saveState.connect(this._onSaved, this);
      panel.context.model.stateChanged.connect(this._onState, this);
      const { context } = panel;
      const path = this._options.localPath(context.path);
      if (path !== null) {
        const form = this._forms.get(context) ?? this._make(context, path);
        this._form = form;
        void context.ready.then(() => form.load());
      }
    }
    this.update();
  }

  private _leave(): void {
    const panel = this._panel;
    if (panel && !panel.isDisposed) {
      panel.context.saveState.disconnect(this._onSaved, this);
      panel.context.model.stateChanged.disconnect(this._onState, this);
    }
    void this._form?.flush();
  }

  private _make(context: Context, path: string): NotebookForm {
    const form = new NotebookForm({ client: this._options.model.client, path });
    form.changed.connect(this.update, this);
    this._forms.set(context, form);
    // also of a notebook that is renamed or closed behind another one
    context.pathChanged.connect(this._onPath, this);
    context.disposed.connect(this._onClosed, this);
    return form;
  }

  private _onClosed(context: Context): void {
    const form = this._forms.get(context);
    this._forms.delete(context);
    form?.dispose();
    if (form && form === this._form) {
      this._form = null;
      this._panel = null;
      this.update();
    }
  }

  private _onPath(context: Context): void {
    const path = this._options.localPath(context.path);
    if (path === null) {
      this._onClosed(context);
    } else {
      void this._forms.get(context)?.rename(path);
    }
  }

  private _onSaved(_: unknown, state: string): void {
    if (state === 'completed') {
      void this._form?.load();
    }
  }

  private _onState(_: unknown, change: { name: string }): void {
    if (change.name === 'dirty') {
      this.update();
    }
  }

  private async _run(): Promise<void> {
    const form = this._form;
    if (!form || this._starting.has(form.path)) {
      return;
    }
    // its path may be another one when this is over
    const { path } = form;
    this._starting.add(path);
    form.accept();
    this.update();
    try {
      await form.flush();
      await this._options.commands.execute(CommandIDs.sweepNotebook, {
        path,
        request: form.request as unknown as ReadonlyPartialJSONObject
      });
    } catch (error) {
      if (form === this._form && this.isVisible) {
        form.refuse(error);
      } else {
        notifyError(error);
      }
    } finally {
      this._starting.delete(path);
      this.update();
    }
  }

  private async _tag(): Promise<void> {
    await this._options.commands.execute(CommandIDs.tagParameters);
    await this._form?.load();
  }

  private async _keep(keep: boolean): Promise<void> {
    const { context } = this._panel ?? {};
    const form = this._form;
    if (!context || !form) {
      return;
    }
    if (keep) {
      const kept: Partial<SweepRequest> = compact(form.request);
      context.model.setMetadata('mlops', kept);
    } else {
      context.model.deleteMetadata('mlops');
    }
    await context.save();
    await form.load();
  }

  private _panel: NotebookPanel | null = null;
  private _form: NotebookForm | null = null;
  private readonly _forms = new Map<Context, NotebookForm>();
  private readonly _starting = new Set<string>();
}
