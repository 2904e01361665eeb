import {
  CodeEditorWrapper,
  type IEditorServices
} from '@jupyterlab/codeeditor';
import { PathExt } from '@jupyterlab/coreutils';
import {
  ABCWidgetFactory,
  DocumentWidget,
  type DocumentRegistry
} from '@jupyterlab/docregistry';
import type { TranslationBundle } from '@jupyterlab/translation';
import {
  addToolbarButtonClass,
  ReactWidget,
  ToolbarButtonComponent
} from '@jupyterlab/ui-components';
import { setDiagnostics } from '@codemirror/lint';
import { EditorView } from '@codemirror/view';
import type { CommandRegistry } from '@lumino/commands';
import type { MimeData } from '@lumino/coreutils';
import type { Message } from '@lumino/messaging';
import { SplitPanel } from '@lumino/widgets';
import * as React from 'react';
import type { Client } from '../../api/client';
import type { GraphStep, Problem } from '../../api/schema';
import { CommandIDs } from '../../model/commandIds';
import { diagnosticMarks, diagnosticsOf } from './diagnostics';
import { Side } from './graphPane';
import { placeOf, replaceText, stepLine } from './pipelineText';
import { Checker } from './pipelineTextCheck';
import { undoKeys } from './undoKeys';

export interface IPipelineFileOptions {
  client: Client;
  commands: CommandRegistry;
  editors: IEditorServices;
  trans: TranslationBundle;
  localPath(path: string): string | null;
  /**
   * Ask for a step and answer the text with it; null where a person thought better of it.
   *
   * `path` and `notebook` are relative to the server's root.
   */
  addStep(asked: {
    path: string;
    text: string;
    graph: readonly GraphStep[];
    notebook: string;
  }): Promise<string | null>;
}

/** How the file browser names what is dragged. */
const FILES = 'application/x-jupyter-icontents';

/** As Lumino sends it. */
type DragEvent = Event & {
  readonly mimeData: MimeData;
  readonly proposedAction: string;
  dropAction: string;
};

/** A pipeline's text beside its graph. */
export class PipelineFile extends SplitPanel {
  constructor(
    private readonly _context: DocumentRegistry.CodeContext,
    private readonly _options: IPipelineFileOptions
  ) {
    super({ orientation: 'horizontal', spacing: 1 });
    this.addClass('jp-MlopsPipelineFile');
    const { client, editors, localPath, trans } = _options;
    this.checker = new Checker(_context, client, localPath, trans);
    this.checker.changed.connect(this._onChecked, this);
    this._editor = new CodeEditorWrapper({
      factory: options => editors.factoryService.newDocumentEditor(options),
      model: _context.model,
      editorOptions: { config: { lineNumbers: true } }
    });
    this._editor.addClass('jp-MlopsPipelineFile-editor');
    this._editor.editor.injectExtension([
      diagnosticMarks,
      undoKeys(() => this._editor.editor),
      EditorView.contentAttributes.of({
        'aria-label': trans.__('Text of the pipeline')
      })
    ]);
    this._side = new SideWidget(
      () => (
        <Side
          graph={this.checker.graph}
          problems={this.checker.problems}
          readable={this.checker.readable}
          known={this.checker.known}
          error={this.checker.error}
          trans={trans}
          onStep={name => this._showStep(name)}
          onOpen={step => this._openNotebook(step)}
          onProblem={problem => this._showProblem(problem)}
          onAdd={() => void this.addStep()}
        />
      ),
      path => void this.addStep(path)
    );
    this.addWidget(this._editor);
    this.addWidget(this._side);
    this.setRelativeSizes([1, 1]);
    const mime = () => {
      _context.model.mimeType = editors.mimeTypeService.getMimeTypeByFilePath(
        PathExt.basename(_context.path)
      );
    };
    mime();
    _context.pathChanged.connect(mime);
  }

  readonly checker: Checker;

  /** Ask for a step and write it into the text; begins with a notebook where one is given. */
  async addStep(notebook = ''): Promise<void> {
    const path = this._options.localPath(this._context.path);
    if (path === null) {
      return;
    }
    const { sharedModel } = this._context.model;
    const text = await this._options.addStep({
      path,
      text: sharedModel.getSource(),
      graph: this.checker.graph,
      notebook: this._options.localPath(notebook) ?? ''
    });
    if (text !== null && !this.isDisposed) {
      replaceText(sharedModel, text);
    }
  }

  override dispose(): void {
    this.checker.dispose();
    super.dispose();
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this._editor.activate();
  }

  private _onChecked(): void {
    this._side.update();
    const { editor } = this._editor;
    // JupyterLab's own editor is CodeMirror; where it is another, the list says it all
    const view = (editor as { editor?: EditorView }).editor;
    if (view) {
      const marks = diagnosticsOf(view.state.doc, this.checker.problems);
      view.dispatch(setDiagnostics(view.state, marks));
    }
  }

  private _showStep(name: string): void {
    const line = stepLine(this._text, name);
    if (line !== null) {
      this._show({ line, column: 0 }, false);
    }
  }

  private _showProblem(problem: Problem): void {
    const place = placeOf(problem, this._text);
    if (place) {
      this._show(place, true);
    }
  }

  private _show(place: { line: number; column: number }, focus: boolean): void {
    const { editor } = this._editor;
    editor.setCursorPosition(place);
    editor.revealPosition(place);
    if (focus) {
      editor.focus();
    }
  }

  private _openNotebook(step: GraphStep): void {
    const folder = PathExt.dirname(this._context.path);
    void this._options.commands.execute('docmanager:open', {
      path: PathExt.join(folder, step.notebook)
    });
  }

  private get _text(): string {
    return this._context.model.sharedModel.getSource();
  }

  private readonly _editor: CodeEditorWrapper;
  private readonly _side: ReactWidget;
}

/** The graph and the problems; a notebook that is dropped on it becomes a step. */
class SideWidget extends ReactWidget {
  constructor(
    private readonly _draw: () => JSX.Element,
    private readonly _onDrop: (path: string) => void
  ) {
    super();
    this.addClass('jp-MlopsPipelineFile-side');
  }

  handleEvent(event: Event): void {
    const drag = event as DragEvent;
    const path = notebookOf(drag);
    if (!path) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    this.toggleClass(
      'jp-mod-dropTarget',
      event.type !== 'lm-dragleave' && event.type !== 'lm-drop'
    );
    if (event.type === 'lm-dragover') {
      drag.dropAction = drag.proposedAction;
    } else if (event.type === 'lm-drop') {
      drag.dropAction = 'copy';
      this._onDrop(path);
    }
  }

  protected override render(): JSX.Element {
    return this._draw();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    for (const type of DRAGGING) {
      this.node.addEventListener(type, this);
    }
  }

  protected override onBeforeDetach(message: Message): void {
    for (const type of DRAGGING) {
      this.node.removeEventListener(type, this);
    }
    super.onBeforeDetach(message);
  }
}

const DRAGGING = ['lm-dragenter', 'lm-dragover', 'lm-dragleave', 'lm-drop'];

/** The notebook that is being dragged; empty where it is something else. */
function notebookOf(drag: DragEvent): string {
  const paths = drag.mimeData.getData(FILES) as unknown;
  const [path] = Array.isArray(paths) ? (paths as unknown[]) : [];
  return typeof path === 'string' && path.endsWith('.ipynb') ? path : '';
}

export type PipelineDocument = DocumentWidget<
  PipelineFile,
  DocumentRegistry.ICodeModel
>;

/** Opens `*.pipeline.yaml`. */
export class PipelineFileFactory extends ABCWidgetFactory<
  PipelineDocument,
  DocumentRegistry.ICodeModel
> {
  constructor(
    private readonly _file: IPipelineFileOptions,
    options: DocumentRegistry.IWidgetFactoryOptions<PipelineDocument>
  ) {
    super(options);
  }

  protected createNewWidget(
    context: DocumentRegistry.CodeContext
  ): PipelineDocument {
    const { commands, localPath, trans } = this._file;
    const content = new PipelineFile(context, this._file);
    const widget = new DocumentWidget({ content, context });
    // without the pressed state that a ToolbarButton says of everything
    const add = (name: string, props: ToolbarButtonComponent.IProps) =>
      widget.toolbar.addItem(
        name,
        addToolbarButtonClass(
          ReactWidget.create(<ToolbarButtonComponent {...props} />)
        )
      );
    add('addStep', {
      label: trans.__('Add Step…'),
      tooltip: trans.__('Write a notebook or a sweep into the pipeline'),
      onClick: () => void content.addStep()
    });
    add('promote', {
      label: trans.__('Promote…'),
      tooltip: trans.__('Make a pipeline of it that runs by itself'),
      onClick: () =>
        void commands.execute(CommandIDs.promote, {
          path: localPath(context.path)
        })
    });
    return widget;
  }
}
