import {
  ILayoutRestorer,
  type JupyterFrontEndPlugin,
  IRouter
} from '@jupyterlab/application';
import { ICommandPalette, WidgetTracker } from '@jupyterlab/apputils';
import { IEditorServices } from '@jupyterlab/codeeditor';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { ILauncher } from '@jupyterlab/launcher';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IMlopsModel } from '../model';
import { CommandIDs } from '../model/commandIds';
import { localPaths, PIPELINE_SUFFIX, DRIVE } from '../model/paths';
import { ask } from '../ui/formDialog';
import { pipelineIcon } from '../ui/icons';
import { NewStep } from './addStepDialog';
import { addNotebookCommands } from './commands';
import { MlopsDrive } from './drive';
import { addRoute, follow, NO_KERNEL } from './executedNotebooks';
import { addNewFileCommand } from './newPipelineFile';
import {
  PipelineFileFactory,
  type PipelineDocument
} from './view/pipelineFile';

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

/** A new pipeline file from the launcher, the menu File → New and the command palette. */
export const newPipelineFilePlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:new-pipeline-file',
  description: 'Creates pipeline files with two steps to begin with.',
  autoStart: true,
  optional: [IDefaultFileBrowser, ITranslator, ILauncher, ICommandPalette],
  activate: (
    app,
    browser: IDefaultFileBrowser | null,
    translator: ITranslator | null,
    launcher: ILauncher | null,
    palette: ICommandPalette | null
  ) => {
    const trans = (translator ?? nullTranslator).load('jupyter_mlops');
    const command = CommandIDs.newPipelineFile;
    addNewFileCommand(app, browser, trans);
    launcher?.add({ command, category: trans.__('Other'), rank: 10 });
    palette?.addItem({ command, category: trans.__('MLOps') });
  }
};

/** The drive of executed notebooks, and the commands that open them. */
export const notebooksPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:notebooks',
  description: 'Executed notebooks as read-only documents.',
  autoStart: true,
  requires: [IMlopsModel, IDocumentManager, INotebookTracker],
  optional: [ITranslator, IRouter],
  activate: (
    app,
    model: IMlopsModel,
    documents: IDocumentManager,
    tracker: INotebookTracker,
    translator: ITranslator | null,
    router: IRouter | null
  ) => {
    const trans = (translator ?? nullTranslator).load('jupyter_mlops');
    const drive = new MlopsDrive(model.client, trans);
    const { contents } = app.serviceManager;
    contents.addDrive(drive);
    // however one is opened, by hand, by a link or after a reload
    tracker.widgetAdded.connect((_, panel) => {
      const { path } = panel.context;
      if (contents.driveName(path) === DRIVE) {
        panel.context.sessionContext.kernelPreference = NO_KERNEL;
        follow(panel, model, drive, contents.localPath(path));
      }
    });
    addNotebookCommands(app, model, documents, trans);
    if (router) {
      addRoute(app, router, documents);
    }
  }
};
