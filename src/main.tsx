import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { Client } from './api/client';
import { addCommands, announceEnds } from './commands';
import { announceFailures } from './failures';
import { MlopsModel } from './model';
import { localPaths } from './paths';
import { addPipelineCommands } from './pipelinecommands';
import { CommandIDs, IMlopsModel } from './tokens';

/** The model, shared by everything else. */
export const modelPlugin: JupyterFrontEndPlugin<IMlopsModel> = {
  id: 'jupyter-mlops:model',
  description:
    'Sweeps, their runs, pipelines and the service behind them, kept current.',
  autoStart: true,
  provides: IMlopsModel,
  activate: app => {
    const { serverSettings, events } = app.serviceManager;
    const model = new MlopsModel({
      client: new Client(serverSettings),
      events: events.stream
    });
    void app.restored.then(() => model.start());
    return model;
  }
};

/** Commands, their menus and toolbar buttons, and what is said at a sweep's or pipeline run's end. */
export const commandsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:plugin',
  description: 'Commands on notebooks, sweeps and pipelines.',
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
    addPipelineCommands(options);
    const category = trans.__('MLOps');
    for (const command of [
      CommandIDs.sweepNotebook,
      CommandIDs.tagParameters,
      CommandIDs.promote,
      CommandIDs.installService
    ]) {
      palette?.addItem({ command, category });
    }
    void notifyAsSet(settings).then(notify => {
      if (notify) {
        announceEnds(app, model, trans);
        announceFailures(app, model, trans);
      }
    });
  }
};

async function notifyAsSet(
  settings: ISettingRegistry | null
): Promise<boolean> {
  const loaded = await settings?.load('jupyter-mlops:plugin');
  return loaded?.composite['notifications'] !== false;
}
