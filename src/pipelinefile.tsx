/** Files that are pipelines: opened as text beside their graph, and written by a form. */
import {
  ILayoutRestorer,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { WidgetTracker } from '@jupyterlab/apputils';
import { IEditorServices } from '@jupyterlab/codeeditor';
import { PathExt } from '@jupyterlab/coreutils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { FileDialog } from '@jupyterlab/filebrowser';
import {
  ITranslator,
  nullTranslator,
  type TranslationBundle
} from '@jupyterlab/translation';
import * as React from 'react';
import type { GraphStep, NotebookInfo } from './api/schema';
import { ask, Questions } from './asking';
import { pipelineIcon } from './icons';
import { localPaths } from './paths';
import { IMlopsModel, PIPELINE_SUFFIX } from './tokens';
import {
  emptyStep,
  nameFrom,
  PipelineFileFactory,
  StepFields,
  stepOf,
  type IPipelineFileOptions,
  type IStepDraft,
  type PipelineDocument
} from './views/pipelinefile';

const FILE_TYPE = 'mlops-pipeline';
const FACTORY = 'Pipeline';

/** `*.pipeline.yaml` by double click. */
export const pipelineFilePlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:pipeline-file',
  description: 'Pipeline files as text beside their graph.',
  autoStart: true,
  requires: [IMlopsModel, IDocumentManager, IEditorServices],
  optional: [ITranslator, ILayoutRestorer],
  activate: (
    app,
    model: IMlopsModel,
    documents: IDocumentManager,
    editors: IEditorServices,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null
  ) => {
    const trans = (translator ?? nullTranslator).load('jupyter_mlops');
    const localPath = localPaths(app.serviceManager.contents);
    app.docRegistry.addFileType({
      name: FILE_TYPE,
      displayName: trans.__('Pipeline'),
      extensions: [PIPELINE_SUFFIX],
      pattern: '\\.pipeline\\.ya?ml$',
      mimeTypes: ['text/x-yaml'],
      contentType: 'file',
      fileFormat: 'text',
      icon: pipelineIcon
    });
    const opened = new WidgetTracker<PipelineDocument>({
      namespace: 'jupyter-mlops-pipeline-files'
    });
    const factory = new PipelineFileFactory(
      {
        client: model.client,
        commands: app.commands,
        editors,
        trans,
        localPath,
        addStep: asked =>
          ask(new NewStep({ ...asked, model, documents, trans, localPath }), {
            title: trans.__('Add Step'),
            okLabel: trans.__('Add'),
            trans
          })
      },
      {
        name: FACTORY,
        label: trans.__('Pipeline'),
        fileTypes: [FILE_TYPE],
        defaultFor: [FILE_TYPE]
      }
    );
    factory.widgetCreated.connect((_, widget) => {
      widget.title.icon = pipelineIcon;
      widget.context.pathChanged.connect(() => void opened.save(widget));
      void opened.add(widget);
    });
    app.docRegistry.addWidgetFactory(factory);
    void restorer?.restore(opened, {
      command: 'docmanager:open',
      args: widget => ({ path: widget.context.path, factory: FACTORY }),
      name: widget => widget.context.path
    });
  }
};

type Asked = Parameters<IPipelineFileOptions['addStep']>[0] & {
  model: IMlopsModel;
  documents: IDocumentManager;
  trans: TranslationBundle;
  localPath(path: string): string | null;
};

/** Asks for a step, and answers the text with it. */
class NewStep extends Questions<string> {
  constructor(private readonly _asked: Asked) {
    super(_asked.trans);
    this._draft = {
      ...emptyStep(_asked.notebook),
      // most pipelines grow at their end
      after: lastOf(_asked.graph)
    };
    void this._look();
  }

  protected readonly fields = ['name', 'notebook', 'parameters', 'objective'];

  protected async submit(): Promise<string> {
    const { path, text } = this._asked;
    const step = stepOf(
      this._draft,
      PathExt.relative(PathExt.dirname(path), this._draft.notebook)
    );
    const answer = await this._asked.model.client.addStep({
      path,
      text,
      name: this._draft.name.trim(),
      step
    });
    return answer.text;
  }

  protected body(): JSX.Element {
    return (
      <StepFields
        draft={this._draft}
        info={this._info}
        graph={this._asked.graph}
        errors={{ notebook: this._missing, ...this.errors }}
        trans={this.trans}
        onChange={change => this._change(change)}
        onPick={() => void this._pick()}
      />
    );
  }

  private _change(change: Partial<IStepDraft>): void {
    const { name, notebook } = this._draft;
    this._draft = { ...this._draft, ...change };
    if (change.notebook !== undefined) {
      // a name that a person gave stays
      if (name === nameFrom(notebook)) {
        this._draft = { ...this._draft, name: nameFrom(change.notebook) };
      }
      void this._look();
    }
    this.changed();
  }

  private async _pick(): Promise<void> {
    const { value } = await FileDialog.getOpenFiles({
      manager: this._asked.documents,
      title: this.trans.__('Notebook of the Step'),
      defaultPath: PathExt.dirname(this._asked.path),
      filter: model => (model.type === 'notebook' ? {} : null)
    });
    const [picked] = value ?? [];
    if (picked && !this.isDisposed) {
      this._change({ notebook: this._asked.localPath(picked.path) ?? '' });
    }
  }

  /** What the notebook declares, or why that is not known. */
  private async _look(): Promise<void> {
    const { notebook } = this._draft;
    let info: NotebookInfo | null = null;
    let missing = '';
    if (notebook.endsWith('.ipynb')) {
      try {
        info = await this._asked.model.client.notebook(notebook);
      } catch (error) {
        missing = error instanceof Error ? error.message : String(error);
      }
    }
    if (!this.isDisposed && notebook === this._draft.notebook) {
      this._info = info;
      this._missing = missing;
      this.update();
    }
  }

  private _draft: IStepDraft;
  private _info: NotebookInfo | null = null;
  private _missing = '';
}

/** Steps of the last layer. */
function lastOf(graph: readonly GraphStep[]): string[] {
  const last = Math.max(...graph.map(({ layer }) => layer), -1);
  return graph.filter(({ layer }) => layer === last).map(({ name }) => name);
}
