/** Pipelines in the main area, one tab each. */
import {
  ILayoutRestorer,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import {
  ICommandPalette,
  MainAreaWidget,
  WidgetTracker
} from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IMlopsModel } from '../model';
import { CommandIDs } from '../model/commandIds';
import { localPaths } from '../model/paths';
import { pipelineArg, pointed, textArg } from '../ui/commandArguments';
import { pipelineIcon } from '../ui/icons';
import { notificationSetting } from '../ui/notificationSetting';
import { addPipelineCommands } from './commands';
import { announceFailures } from './failureNotices';
import { PipelineView } from './view/pipelineView';

/** Commands on pipelines, and what is said when a run of one fails. */
export const pipelineCommandsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:pipeline-commands',
  description: 'Commands on pipelines.',
  autoStart: true,
  requires: [IMlopsModel, INotebookTracker],
  optional: [
    IFileBrowserFactory,
    ITranslator,
    ICommandPalette,
    ISettingRegistry
  ],
  activate: (
    app,
    model: IMlopsModel,
    tracker: INotebookTracker,
    browser: IFileBrowserFactory | null,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    settings: ISettingRegistry | null
  ) => {
    const trans = (translator ?? nullTranslator).load('jupyter_mlops');
    addPipelineCommands({
      app,
      model,
      tracker,
      browser,
      trans,
      localPath: localPaths(app.serviceManager.contents)
    });
    palette?.addItem({
      command: CommandIDs.promote,
      category: trans.__('MLOps')
    });
    announceFailures(app, model, trans, notificationSetting(settings));
  }
};

/** A pipeline in the main area. */
export const pipelinePlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:pipeline',
  description: 'A pipeline in the main area.',
  autoStart: true,
  requires: [IMlopsModel],
  optional: [ITranslator, ILayoutRestorer],
  activate: (
    app,
    model: IMlopsModel,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null
  ) => {
    const trans = (translator ?? nullTranslator).load('jupyter_mlops');
    const opened = new WidgetTracker<MainAreaWidget<PipelineView>>({
      namespace: 'jupyter-mlops-pipelines'
    });
    const entitle = (widget: MainAreaWidget<PipelineView>) => {
      const pipeline = model.pipeline(widget.content.pipelineId);
      widget.title.label = pipeline?.name ?? trans.__('Pipeline');
      widget.title.caption = pipeline?.path ?? '';
    };
    model.changed.connect((_, change) => {
      opened.forEach(widget => {
        if (change.pipelines.has(widget.content.pipelineId)) {
          entitle(widget);
        }
      });
    });
    const open = (id: string): MainAreaWidget<PipelineView> => {
      let widget = opened.find(other => other.content.pipelineId === id);
      if (!widget) {
        const content = new PipelineView({
          pipelineId: id,
          model,
          commands: app.commands,
          trans
        });
        widget = new MainAreaWidget({ content });
        widget.toolbar.hide();
        widget.id = `jp-mlops-pipeline-${id}`;
        widget.title.icon = pipelineIcon;
        widget.title.closable = true;
        entitle(widget);
        void opened.add(widget);
        app.shell.add(widget, 'main', { type: 'Pipeline' });
      }
      app.shell.activateById(widget.id);
      return widget;
    };
    app.commands.addCommand(CommandIDs.openPipeline, {
      label: trans.__('Open Pipeline'),
      icon: pipelineIcon,
      describedBy: {
        args: { type: 'object', properties: { id: { type: 'string' } } }
      },
      execute: args => {
        const id = pipelineArg(app, args);
        return id ? open(id) : undefined;
      }
    });
    app.commands.addCommand(CommandIDs.openPipelineRun, {
      label: trans.__('Open Run of Pipeline'),
      icon: pipelineIcon,
      describedBy: {
        args: {
          type: 'object',
          properties: { id: { type: 'string' }, run: { type: 'string' } }
        }
      },
      execute: args => {
        const widget = open(pipelineArg(app, args));
        const run = textArg(args, 'run') || pointed(app, 'run');
        widget.content.showRun(run || null);
        return widget;
      }
    });
    void restorer?.restore(opened, {
      command: CommandIDs.openPipeline,
      args: widget => ({ id: widget.content.pipelineId }),
      name: widget => widget.content.pipelineId
    });
  }
};
