import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Client } from '../api/client';
import { IMlopsModel } from './';
import { MlopsModel } from './model';

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
