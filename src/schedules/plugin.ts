/** Commands on what fires pipelines. */
import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { IMlopsModel } from '../model';
import { addScheduleCommands } from './commands';

/** Schedules and triggers are added, changed and removed. */
export const schedulesPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:schedules',
  description: 'Commands on schedules and triggers.',
  autoStart: true,
  requires: [IMlopsModel],
  optional: [ITranslator],
  activate: (app, model: IMlopsModel, translator: ITranslator | null) => {
    const trans = (translator ?? nullTranslator).load('jupyter_mlops');
    addScheduleCommands({ app, model, trans });
  }
};
