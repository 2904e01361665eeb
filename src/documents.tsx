/** What opens in the main area: sweeps, MLflow, the service's log. */
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
import type { Widget } from '@lumino/widgets';
import { sweepArg, textArg } from './args';
import { mlopsIcon, sweepIcon } from './icons';
import { CommandIDs, IMlopsModel } from './tokens';
import { ServiceLogView } from './views/log';
import { MlflowView } from './views/mlflow';
import { createSweepView } from './views/sweep';

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
          const content = createSweepView({
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

/** MLflow and the service's log, one tab each. */
export const toolsPlugin: JupyterFrontEndPlugin<void> = {
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
    palette?.addItem({ command: CommandIDs.openMlflow, category });
    palette?.addItem({ command: CommandIDs.showServiceLog, category });
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
          runId: { type: 'string' }
        }
      }
    },
    execute: args => {
      const experiment = textArg(args, 'experimentId');
      const run = textArg(args, 'runId');
      const place = experiment
        ? `/experiments/${experiment}${run ? `/runs/${run}` : ''}`
        : '';
      let widget = opened.currentWidget;
      if (!widget || widget.isDisposed) {
        const content = new MlflowView({
          serverSettings: model.client.settings,
          trans,
          place
        });
        widget = new MainAreaWidget({ content });
        widget.toolbar.hide();
        widget.id = 'jp-mlops-mlflow';
        widget.title.label = 'MLflow';
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
