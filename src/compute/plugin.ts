/** MLflow and the service's log in the main area, and the command that installs the service. */
import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import {
  ICommandPalette,
  MainAreaWidget,
  WidgetTracker
} from '@jupyterlab/apputils';
import {
  ITranslator,
  nullTranslator,
  type TranslationBundle
} from '@jupyterlab/translation';
import { IMlopsModel } from '../model';
import { CommandIDs } from '../model/commandIds';
import { textArg } from '../ui/commandArguments';
import { mlopsIcon } from '../ui/icons';
import { addServiceCommands } from './commands';
import { MlflowView } from './view/mlflow';
import { ServiceLogView } from './view/serviceLog';

/** MLflow and the service's log, one tab each. */
export const computePlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:tools',
  description: 'MLflow and the service’s log in the main area.',
  autoStart: true,
  requires: [IMlopsModel],
  optional: [ITranslator, ILayoutRestorer, ICommandPalette],
  activate: (
    app,
    model: IMlopsModel,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null
  ) => {
    const trans = (translator ?? nullTranslator).load('jupyter_mlops');
    const category = trans.__('MLOps');
    addMlflow(app, model, trans, restorer);
    addLog(app, model, trans, restorer);
    addServiceCommands(app, model, trans);
    palette?.addItem({ command: CommandIDs.openMlflow, category });
    palette?.addItem({ command: CommandIDs.showServiceLog, category });
    palette?.addItem({ command: CommandIDs.installService, category });
  }
};

function addMlflow(
  app: JupyterFrontEnd,
  model: IMlopsModel,
  trans: TranslationBundle,
  restorer: ILayoutRestorer | null
): void {
  const opened = new WidgetTracker<MainAreaWidget<MlflowView>>({
    namespace: 'jupyter-mlops-mlflow'
  });
  app.commands.addCommand(CommandIDs.openMlflow, {
    label: trans.__('Open MLflow'),
    describedBy: {
      args: {
        type: 'object',
        properties: {
          experimentId: { type: 'string' },
          runId: { type: 'string' },
          parentId: { type: 'string' },
          metric: { type: 'string' },
          direction: { type: 'string' }
        }
      }
    },
    execute: args => {
      const place = placeOf(
        textArg(args, 'experimentId'),
        textArg(args, 'runId'),
        textArg(args, 'parentId'),
        textArg(args, 'metric'),
        textArg(args, 'direction') === 'minimize'
      );
      let widget = opened.currentWidget;
      if (!widget || widget.isDisposed) {
        const content = new MlflowView({
          client: model.client,
          trans,
          place
        });
        widget = new MainAreaWidget({ content });
        widget.toolbar.hide();
        widget.id = 'jp-mlops-mlflow';
        widget.title.label = trans.__('MLflow');
        widget.title.icon = mlopsIcon;
        widget.title.closable = true;
        void opened.add(widget);
        app.shell.add(widget, 'main', { type: 'MLflow' });
      } else if (place) {
        widget.content.go(place);
      }
      app.shell.activateById(widget.id);
    }
  });
  void restorer?.restore(opened, {
    command: CommandIDs.openMlflow,
    name: () => 'mlflow'
  });
}

/** Inside MLflow's interface: a run, or the charts of a sweep's runs; empty for all experiments. */
function placeOf(
  experiment: string,
  run: string,
  parent: string,
  metric: string,
  ascending: boolean
): string {
  if (!experiment) {
    return '';
  }
  const place = `/experiments/${experiment}/runs`;
  if (!parent) {
    return run ? `${place}/${run}` : place;
  }
  const query = new URLSearchParams({
    searchFilter: `tags.mlflow.parentRunId = "${parent}"`,
    compareRunsMode: 'CHART',
    // in order of time MLflow puts them under their parent, where they are hidden at first
    orderByKey: metric ? `metrics.\`${metric}\`` : 'tags.`mlflow.runName`',
    orderByAsc: String(!metric || ascending)
  });
  return `${place}?${query.toString().replaceAll('+', '%20')}`;
}

function addLog(
  app: JupyterFrontEnd,
  model: IMlopsModel,
  trans: TranslationBundle,
  restorer: ILayoutRestorer | null
): void {
  const opened = new WidgetTracker<MainAreaWidget>({
    namespace: 'jupyter-mlops-log'
  });
  app.commands.addCommand(CommandIDs.showServiceLog, {
    label: trans.__('Show Service Log'),
    describedBy: { args: { type: 'object', properties: {} } },
    execute: () => {
      let widget = opened.currentWidget;
      if (!widget || widget.isDisposed) {
        widget = new MainAreaWidget({
          content: new ServiceLogView(model.client, trans)
        });
        widget.toolbar.hide();
        widget.id = 'jp-mlops-log';
        widget.title.label = trans.__('Service log');
        widget.title.icon = mlopsIcon;
        widget.title.closable = true;
        void opened.add(widget);
        app.shell.add(widget, 'main', { mode: 'split-bottom', type: 'Log' });
      }
      app.shell.activateById(widget.id);
    }
  });
  void restorer?.restore(opened, {
    command: CommandIDs.showServiceLog,
    name: () => 'log'
  });
}
