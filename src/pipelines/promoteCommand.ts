/** The command that promotes, and what it is about where nothing is named. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { Widget } from '@lumino/widgets';
import type { IMlopsModel } from '../model';
import { CommandIDs } from '../model/commandIds';
import { PIPELINE_SUFFIX } from '../model/paths';
import { argsSchema, pointed, textArg } from '../ui/commandArguments';
import { promoteIcon } from '../ui/icons';
import { starting } from '../ui/notifyErrors';
import { saveEdits } from '../ui/saveEdits';
import { promote } from './promotionDialog';
import type { IPromoted } from './view/promotion';

export interface IPromoteCommandOptions {
  app: JupyterFrontEnd;
  model: IMlopsModel;
  tracker: INotebookTracker;
  browser: IFileBrowserFactory | null;
  trans: TranslationBundle;
  localPath(path: string): string | null;
}

export function addPromoteCommand(options: IPromoteCommandOptions): void {
  const { app, tracker, trans } = options;
  app.commands.addCommand(CommandIDs.promote, {
    label: trans.__('Promote to Pipeline…'),
    caption: trans.__('Let it run by itself, on time, as it is now'),
    icon: promoteIcon,
    isEnabled: args => promotedOf(options, args) !== null,
    // in the menu of files of any kind, most of which it is not for
    isVisible: args => promotedOf(options, args) !== null,
    describedBy: {
      args: argsSchema({
        runId: 'string',
        sweepId: 'string',
        path: 'string',
        pointed: 'boolean'
      })
    },
    execute: async args => {
      const promoted = promotedOf(options, args);
      await starting(
        trans.__('Looking at what is to be promoted…'),
        async () => {
          if (!promoted) {
            throw new Error(
              trans.__('Open a notebook or a pipeline’s file to promote it.')
            );
          }
          await save(options, promoted.path);
          await promote(options, promoted);
        }
      );
    }
  });
  const notify = () => app.commands.notifyCommandChanged(CommandIDs.promote);
  tracker.currentChanged.connect(notify);
  app.shell.currentChanged?.connect(notify);
}

/** What is named, else the file picked in the browser's menu, else what is in front. */
function promotedOf(
  options: IPromoteCommandOptions,
  args: ReadonlyPartialJSONObject
): IPromoted | null {
  for (const name of ['runId', 'sweepId', 'path'] as const) {
    const value = textArg(args, name);
    if (value) {
      return { [name]: value };
    }
  }
  const { app, browser, localPath, model } = options;
  if (args['pointed']) {
    const run = model.run(pointed(app, 'runId'));
    // one of a step is in a pipeline already
    const free = run && !model.sweep(run.sweep_id)?.pipeline_run;
    return free && run.state === 'succeeded' ? { runId: run.id } : null;
  }
  const file = app.contextMenuHitTest(node =>
    node.classList.contains('jp-DirListing-item')
  );
  const [picked] = browser?.tracker.currentWidget?.selectedItems() ?? [];
  const path = file
    ? picked?.path
    : (contextOf(app.shell.currentWidget)?.path ??
      // a panel at the side may be in front
      options.tracker.currentWidget?.context.path);
  const local = path === undefined ? null : localPath(path);
  return local && (local.endsWith('.ipynb') || local.endsWith(PIPELINE_SUFFIX))
    ? { path: local }
    : null;
}

/** Bring what was edited into the file, wherever it is open. */
async function save(
  options: IPromoteCommandOptions,
  path: string | undefined
): Promise<void> {
  const { app, trans, localPath } = options;
  for (const widget of app.shell.widgets('main')) {
    const context = contextOf(widget);
    if (context && localPath(context.path) === path) {
      await saveEdits(context, trans);
    }
  }
}

function contextOf(
  widget: Widget | null
): DocumentRegistry.Context | undefined {
  return widget && 'context' in widget
    ? (widget.context as DocumentRegistry.Context)
    : undefined;
}
