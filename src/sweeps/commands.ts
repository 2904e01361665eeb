import type { JupyterFrontEnd } from '@jupyterlab/application';
import { InputDialog, Notification } from '@jupyterlab/apputils';
import type { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import { copyIcon, stopIcon, tagIcon } from '@jupyterlab/ui-components';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { SweepAction } from '../api/client';
import type { Sweep, SweepRequest } from '../api/schema';
import type { IMlopsModel } from '../model';
import { CommandIDs } from '../model/commandIds';
import { isOver } from '../model/states';
import { argsSchema, runArg, sweepArg } from '../ui/commandArguments';
import { formatBytes } from '../ui/format';
import { sweepIcon } from '../ui/icons';
import { notifying, starting } from '../ui/notifyErrors';
import { saveEdits } from '../ui/saveEdits';
import { Starter } from './startSweep';

export interface ICommandOptions {
  app: JupyterFrontEnd;
  model: IMlopsModel;
  tracker: INotebookTracker;
  browser: IFileBrowserFactory | null;
  trans: TranslationBundle;
  localPath(path: string): string | null;
}

/** Commands on notebooks and sweeps; those that open something are beside what they open. */
export function addCommands(options: ICommandOptions): void {
  addNotebookCommands(options);
  addSweepCommands(options);
}

function addNotebookCommands(options: ICommandOptions): void {
  const { app, model, tracker, trans } = options;
  const { commands } = app;
  const starter = new Starter({
    app,
    model,
    trans,
    save: path => save(options, path)
  });
  commands.addCommand(CommandIDs.sweepNotebook, {
    label: trans.__('Sweep Notebook'),
    caption: trans.__('Run this notebook over the parameters to try'),
    icon: sweepIcon,
    isEnabled: args => pathOf(options, args['path']) !== null,
    describedBy: { args: argsSchema({ path: 'string', request: 'object' }) },
    execute: async args => {
      const path = pathOf(options, args['path']);
      const request = args['request'] as unknown as SweepRequest | undefined;
      if (request && path !== null) {
        // the form shows what is refused beside what is wrong
        await starter.start(path, request);
        return;
      }
      await starting(trans.__('Starting the sweep…'), async () => {
        if (path === null) {
          throw new Error(
            trans.__('Open a notebook of this server to sweep it.')
          );
        }
        await sweepRemembered(options, starter, path);
      });
    }
  });
  commands.addCommand(CommandIDs.tagParameters, {
    label: trans.__('Tag Cell as Parameters'),
    caption: trans.__('The active cell holds the notebook’s parameters'),
    icon: tagIcon,
    isEnabled: () => !!tracker.activeCell,
    describedBy: { args: argsSchema({}) },
    execute: () => notifying(() => tagParameters(options))
  });
  tracker.currentChanged.connect(() => {
    commands.notifyCommandChanged(CommandIDs.sweepNotebook);
    commands.notifyCommandChanged(CommandIDs.tagParameters);
  });
}

function addSweepCommands(options: ICommandOptions): void {
  const { app, model, trans } = options;
  const { commands } = app;
  const add = (
    id: string,
    label: string | ((sweep: Sweep | undefined) => string),
    enabled: (sweep: Sweep) => boolean,
    execute: (
      sweep: Sweep,
      args: ReadonlyPartialJSONObject
    ) => Promise<unknown>,
    icon?: typeof stopIcon
  ) => {
    const find = (args: ReadonlyPartialJSONObject): Sweep | undefined =>
      model.sweep(sweepArg(app, args));
    commands.addCommand(id, {
      label: args => (typeof label === 'string' ? label : label(find(args))),
      ...(icon && { icon }),
      isEnabled: args => {
        const sweep = find(args);
        return !!sweep && enabled(sweep);
      },
      isVisible: args => {
        const sweep = find(args);
        return !!sweep && enabled(sweep);
      },
      describedBy: { args: argsSchema({ id: 'string' }) },
      execute: async args => {
        const sweep = find(args);
        const text = typeof label === 'string' ? label : label(sweep);
        await starting(trans.__('%1: under way', text), async () => {
          if (!sweep || !enabled(sweep)) {
            throw new Error(
              trans.__('%1: this is not possible any more.', text)
            );
          }
          await execute(sweep, args);
          await model.refresh();
        });
      }
    });
  };
  const act = (action: SweepAction) => (sweep: Sweep) =>
    model.client.sweepAction(sweep.id, action);
  const live = (sweep: Sweep) => !isOver(sweep.state) && !sweep.deleted_at;
  const repeatable = (sweep: Sweep) =>
    !sweep.deleted_at &&
    (sweep.state === 'failed' || sweep.state === 'stopped');

  add(
    CommandIDs.stopSweep,
    trans.__('Stop Sweep'),
    sweep => live(sweep) && !sweep.stop_requested,
    act('stop'),
    stopIcon
  );
  add(
    CommandIDs.pauseSweep,
    trans.__('Pause Sweep'),
    sweep => live(sweep) && sweep.state !== 'paused' && !sweep.pause_requested,
    act('pause')
  );
  add(
    CommandIDs.resumeSweep,
    trans.__('Resume Sweep'),
    sweep => live(sweep) && (sweep.state === 'paused' || sweep.pause_requested),
    act('resume')
  );
  add(
    CommandIDs.retrySweep,
    sweep =>
      sweep?.state === 'stopped'
        ? trans.__('Go on with Sweep')
        : trans.__('Retry Failed Runs'),
    repeatable,
    act('retry')
  );
  add(
    CommandIDs.renameSweep,
    trans.__('Rename Sweep…'),
    sweep => !sweep.deleted_at,
    (sweep, args) => rename(options, sweep, args['name'])
  );
  add(
    CommandIDs.archiveSweep,
    sweep =>
      sweep?.archived ? trans.__('Unarchive Sweep') : trans.__('Archive Sweep'),
    sweep => isOver(sweep.state) && !sweep.deleted_at,
    (sweep, args) =>
      model.client.changeSweep(sweep.id, {
        archived:
          typeof args['archived'] === 'boolean'
            ? args['archived']
            : !sweep.archived
      })
  );
  add(
    CommandIDs.deleteSweep,
    trans.__('Delete Sweep'),
    sweep => isOver(sweep.state) && !sweep.deleted_at,
    sweep => remove(options, sweep)
  );
  add(
    CommandIDs.restoreSweep,
    trans.__('Restore Sweep'),
    sweep => !!sweep.deleted_at,
    act('restore')
  );
  commands.addCommand(CommandIDs.stopRun, {
    label: trans.__('Stop Run'),
    icon: stopIcon,
    isVisible: args => {
      const run = model.run(runArg(app, args));
      return !run || !isOver(run.state);
    },
    describedBy: { args: argsSchema({ id: 'string' }) },
    execute: args =>
      notifying(async () => {
        await model.client.stopRun(runArg(app, args));
        await model.refresh();
      })
  });
  commands.addCommand(CommandIDs.copyParameters, {
    label: trans.__('Copy Parameters'),
    caption: trans.__('Copy the values of this run as JSON'),
    icon: copyIcon,
    isEnabled: args => !!model.run(runArg(app, args)),
    describedBy: { args: argsSchema({ id: 'string' }) },
    execute: args =>
      notifying(async () => {
        const run = model.run(runArg(app, args));
        const values = { ...run?.parameters };
        await navigator.clipboard.writeText(JSON.stringify(values, null, 2));
      })
  });
}

/** A notebook's path: as given, of the file picked in the browser's menu, or of the one in front. */
function pathOf(options: ICommandOptions, given: unknown): string | null {
  if (typeof given === 'string' && given) {
    return given;
  }
  const { app, browser, tracker, localPath } = options;
  const file = app.contextMenuHitTest(node =>
    node.classList.contains('jp-DirListing-item')
  );
  if (file) {
    const [picked] = browser?.tracker.currentWidget?.selectedItems() ?? [];
    return picked?.type === 'notebook' ? localPath(picked.path) : null;
  }
  const panel = tracker.currentWidget;
  return panel ? localPath(panel.context.path) : null;
}

async function sweepRemembered(
  options: ICommandOptions,
  starter: Starter,
  path: string
): Promise<void> {
  const { app, model } = options;
  await save(options, path);
  const info = await model.client.notebook(path);
  const remembered = info.draft ?? info.saved;
  if (
    !remembered ||
    Object.keys(remembered.space).length === 0 ||
    info.problem ||
    info.kernel_problem
  ) {
    if (!openPanelOf(options, path)) {
      await app.commands.execute('docmanager:open', { path });
    }
    await app.commands.execute(CommandIDs.showPanel);
    return;
  }
  await starter.start(path, remembered);
}

function openPanelOf(
  options: ICommandOptions,
  path: string
): NotebookPanel | undefined {
  return options.tracker.find(
    panel => options.localPath(panel.context.path) === path
  );
}

async function save(options: ICommandOptions, path: string): Promise<void> {
  const context = openPanelOf(options, path)?.context;
  if (context) {
    await saveEdits(context, options.trans);
  }
}

/** Move the tag to the active cell; where that assigns nothing, select the one that likely holds the parameters. */
async function tagParameters(options: ICommandOptions): Promise<void> {
  const { localPath, model, tracker, trans } = options;
  const panel = tracker.currentWidget;
  const path = panel && localPath(panel.context.path);
  if (!panel || typeof path !== 'string') {
    throw new Error(trans.__('Open a notebook of this server to tag a cell.'));
  }
  const { content, context } = panel;
  const picked = content.activeCellIndex;
  await saveEdits(context, trans);
  const { parameters_cells: possible } = await model.client.notebook(path);
  if (!possible.includes(picked)) {
    const [likely] = possible;
    if (likely === undefined) {
      throw new Error(
        trans.__(
          'No cell of this notebook assigns anything. Write lines such as “alpha = 0.1” in a code cell, then tag it.'
        )
      );
    }
    content.activeCellIndex = likely;
    content.deselectAll();
    await content.scrollToItem(likely, 'smart');
    throw new Error(
      trans.__(
        'The cell that was selected assigns nothing. Cell %1 does and is selected now: tag it if it holds the parameters.',
        likely + 1
      )
    );
  }
  content.widgets.forEach(({ model: cell }, index) => {
    const tags = (cell.getMetadata('tags') as string[] | undefined) ?? [];
    const others = tags.filter(tag => tag !== 'parameters');
    if (index === picked) {
      cell.setMetadata('tags', [...others, 'parameters']);
    } else if (others.length < tags.length) {
      cell.setMetadata('tags', others);
    }
  });
  await context.save();
}

async function rename(
  options: ICommandOptions,
  sweep: Sweep,
  given: unknown
): Promise<void> {
  const { model, trans } = options;
  let name = typeof given === 'string' ? given : null;
  name ??= (
    await InputDialog.getText({
      title: trans.__('Rename Sweep'),
      label: trans.__('Name'),
      text: sweep.name,
      required: true,
      okLabel: trans.__('Rename')
    })
  ).value;
  if (name?.trim() && name !== sweep.name) {
    await model.client.changeSweep(sweep.id, { name: name.trim() });
  }
}

async function remove(options: ICommandOptions, sweep: Sweep): Promise<void> {
  const { app, model, trans } = options;
  await model.client.deleteSweep(sweep.id);
  const frees =
    sweep.occupies > 0
      ? trans.__(' It occupies %1 until then.', formatBytes(sweep.occupies))
      : '';
  Notification.info(
    trans.__('“%1” is deleted; it can be restored for 30 days.', sweep.name) +
      frees,
    {
      autoClose: 8000,
      actions: [
        {
          label: trans.__('Undo'),
          callback: () =>
            void app.commands.execute(CommandIDs.restoreSweep, { id: sweep.id })
        }
      ]
    }
  );
}
