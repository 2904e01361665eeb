import {
  type JupyterFrontEndPlugin,
  ILayoutRestorer
} from '@jupyterlab/application';
import {
  ICommandPalette,
  MainAreaWidget,
  WidgetTracker
} from '@jupyterlab/apputils';
import { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { Widget } from '@lumino/widgets';
import { IMlopsModel } from '../model';
import { CommandIDs } from '../model/commandIds';
import { localPaths } from '../model/paths';
import { sweepArg } from '../ui/commandArguments';
import { sweepIcon } from '../ui/icons';
import { notificationSetting } from '../ui/notificationSetting';
import { addCommands } from './commands';
import { announceEnds } from './endNotices';
import { SweepView } from './view/sweepView';

/** Commands on notebooks and sweeps, and what is said at a sweep’s end. */
export const sweepCommandsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:plugin',
  description: 'Commands on notebooks and sweeps.',
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
    const options = {
      app,
      model,
      tracker,
      browser,
      trans,
      localPath: localPaths(app.serviceManager.contents)
    };
    addCommands(options);
    const category = trans.__('MLOps');
    for (const command of [
      CommandIDs.sweepNotebook,
      CommandIDs.tagParameters
    ]) {
      palette?.addItem({ command, category });
    }
    announceEnds(app, model, trans, notificationSetting(settings));
  }
};

const sweepWidgetId = (id: string) => `jp-mlops-sweep-${id}`;

/** A sweep in the main area, one tab each. */
export const sweepPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:sweep',
  description: 'A sweep in the main area.',
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
    const opened = new WidgetTracker<MainAreaWidget>({
      namespace: 'jupyter-mlops-sweeps'
    });
    const ids = new Map<Widget, string>();
    const entitle = (widget: Widget, id: string) => {
      widget.title.label = model.sweep(id)?.name ?? trans.__('Sweep');
      widget.title.caption = model.sweep(id)?.path ?? '';
    };
    model.changed.connect((_, change) => {
      opened.forEach(widget => {
        const id = ids.get(widget);
        if (id && change.sweeps.has(id)) {
          entitle(widget, id);
        }
      });
    });
    app.commands.addCommand(CommandIDs.openSweep, {
      label: trans.__('Open Sweep'),
      icon: sweepIcon,
      isVisible: () => true,
      describedBy: {
        args: { type: 'object', properties: { id: { type: 'string' } } }
      },
      execute: args => {
        const id = sweepArg(app, args);
        if (!id) {
          return;
        }
        let widget = opened.find(other => ids.get(other) === id);
        if (!widget) {
          const content = new SweepView({
            sweepId: id,
            model,
            commands: app.commands,
            trans
          });
          widget = new MainAreaWidget({ content });
          widget.toolbar.hide();
          widget.id = sweepWidgetId(id);
          widget.title.icon = sweepIcon;
          widget.title.closable = true;
          entitle(widget, id);
          ids.set(widget, id);
          widget.disposed.connect(gone => ids.delete(gone));
          void opened.add(widget);
          app.shell.add(widget, 'main', { type: 'Sweep' });
        }
        app.shell.activateById(widget.id);
        return widget;
      }
    });
    void restorer?.restore(opened, {
      command: CommandIDs.openSweep,
      args: widget => ({ id: ids.get(widget) ?? '' }),
      name: widget => ids.get(widget) ?? ''
    });
  }
};
