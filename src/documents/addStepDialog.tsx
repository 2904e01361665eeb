/** Files that are pipelines: opened as text beside their graph, and written by a form. */
import { PathExt } from '@jupyterlab/coreutils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import { FileDialog } from '@jupyterlab/filebrowser';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { GraphStep, NotebookInfo } from '../api/schema';
import type { IMlopsModel } from '../model';
import { Questions } from '../ui/formDialog';
import type { IPipelineFileOptions } from './view/pipelineFile';
import {
  emptyStep,
  nameFrom,
  StepFields,
  stepOf,
  type IStepDraft
} from './view/stepFields';

type Asked = Parameters<IPipelineFileOptions['addStep']>[0] & {
  model: IMlopsModel;
  documents: IDocumentManager;
  trans: TranslationBundle;
  localPath(path: string): string | null;
};

/** Asks for a step, and answers the text with it. */
export class NewStep extends Questions<string> {
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
      this._draft.parameters = this._proposed(info);
      this.update();
    }
  }

  /** What was typed for parameters that the notebook has, and references to what one step alone hands on by their names. */
  private _proposed(info: NotebookInfo | null): IStepDraft['parameters'] {
    const entries = (info?.parameters ?? []).flatMap(({ name }) => {
      const [source, ...more] = this._asked.graph.filter(({ outputs }) =>
        outputs.includes(name)
      );
      const typed = this._draft.parameters[name];
      return typed !== undefined
        ? [[name, typed]]
        : source && more.length === 0
          ? [[name, `\${${source.name}.${name}}`]]
          : [];
    });
    return Object.fromEntries(entries) as IStepDraft['parameters'];
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
