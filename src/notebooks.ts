/** Executed notebooks as documents: read-only, without a kernel, following their run while it is live. */
import {
  IRouter,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Notification, type ISessionContext } from '@jupyterlab/apputils';
import { PageConfig } from '@jupyterlab/coreutils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import type { INotebookContent } from '@jupyterlab/nbformat';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import {
  ITranslator,
  nullTranslator,
  type TranslationBundle
} from '@jupyterlab/translation';
import { notebookIcon } from '@jupyterlab/ui-components';
import { textArg } from './args';
import { DRIVE, frozenPath, MlopsDrive, parsePath, runPath } from './drive';
import { Follower } from './follow';
import { CommandIDs, IMlopsModel, isOver } from './tokens';

const NO_KERNEL: ISessionContext.IKernelPreference = {
  shouldStart: false,
  canStart: false,
  shouldReuse: false,
  autoStartDefault: false
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
    addCommands(app, model, documents, trans);
    if (router) {
      addRoute(app, router, documents);
    }
  }
};

/**
 * The page's address names the document in front. JupyterLab looks for the file browser of its drive
 * then, and executed notebooks have none; so such an address is followed here.
 */
function addRoute(
  app: JupyterFrontEnd,
  router: IRouter,
  documents: IDocumentManager
): void {
  const command = 'mlops:route-notebook';
  const { contents } = app.serviceManager;
  app.commands.addCommand(command, {
    describedBy: { args: { type: 'object', properties: {} } },
    execute: () => {
      const path = PageConfig.getOption('treePath');
      if (contents.driveName(path) !== DRIVE) {
        return undefined;
      }
      void app.restored.then(() => {
        // where the layout had it, it is there, and what is in front is as it was left
        if (!documents.findWidget(path, 'Notebook')) {
          return openExecuted(documents, path);
        }
        return undefined;
      });
      return router.stop;
    }
  });
  // after what fetches the state to restore, before what resolves all other addresses
  router.register({ command, pattern: /\/tree\/mlops(:|%3A)/i, rank: 90 });
}

function openExecuted(documents: IDocumentManager, path: string) {
  return documents.openOrReveal(path, 'Notebook', undefined, {}, NO_KERNEL);
}

function follow(
  panel: NotebookPanel,
  model: IMlopsModel,
  drive: MlopsDrive,
  localPath: string
): void {
  const ref = parsePath(localPath);
  if (ref?.run) {
    new Follower({
      panel,
      model,
      sweepId: ref.sweep,
      runId: ref.run,
      read: async () => (await drive.get(localPath)).content as INotebookContent
    });
  }
}

function addCommands(
  app: JupyterFrontEnd,
  model: IMlopsModel,
  documents: IDocumentManager,
  trans: TranslationBundle
): void {
  const open = (path: string) => openExecuted(documents, path);
  app.commands.addCommand(CommandIDs.openRun, {
    label: trans.__('Open Executed Notebook'),
    icon: notebookIcon,
    describedBy: {
      args: {
        type: 'object',
        properties: {
          id: { type: 'string' },
          sweepId: { type: 'string' },
          cell: { type: 'number' }
        }
      }
    },
    execute: async args => {
      const id = textArg(args, 'id');
      const run = model.run(id) ?? (await model.client.run(id));
      const sweep =
        model.sweep(run.sweep_id) ?? (await model.client.sweep(run.sweep_id));
      if (run.started_at === null && isOver(run.state)) {
        Notification.info(
          trans.__(
            'Run %1 was never begun, so there is no executed notebook.',
            run.index + 1
          ),
          { autoClose: 6000 }
        );
        return;
      }
      const panel = open(runPath(sweep, run, trans));
      const cell =
        typeof args['cell'] === 'number' ? args['cell'] : run.error?.cell;
      if (panel instanceof NotebookPanel && typeof cell === 'number') {
        await showCell(panel, cell);
      }
    }
  });
  app.commands.addCommand(CommandIDs.openFrozen, {
    label: trans.__('Open Notebook as Started'),
    icon: notebookIcon,
    describedBy: {
      args: { type: 'object', properties: { id: { type: 'string' } } }
    },
    execute: async args => {
      const id = textArg(args, 'id');
      const sweep = model.sweep(id) ?? (await model.client.sweep(id));
      open(frozenPath(sweep, trans));
    }
  });
}

/** Milliseconds for which a cell is held in sight while those above it are still being drawn. */
const SETTLING = 3_000;

async function showCell(panel: NotebookPanel, cell: number): Promise<void> {
  await panel.context.ready;
  await panel.revealed;
  const { content } = panel;
  if (panel.isDisposed || cell >= content.widgets.length) {
    return;
  }
  content.activeCellIndex = cell;
  content.deselectAll();
  const { signal, abort } = holding(content.node);
  const drawn = new ResizeObserver(() => {
    if (!content.isDisposed) {
      // a later one takes the place of one that is on its way
      content.scrollToItem(cell, 'center').catch(() => undefined);
    }
  });
  for (const { node } of content.widgets.slice(0, cell + 1)) {
    drawn.observe(node);
  }
  signal.addEventListener('abort', () => drawn.disconnect());
  setTimeout(abort, SETTLING);
}

/** A signal that is aborted as soon as a person moves by hand. */
function holding(node: HTMLElement): { signal: AbortSignal; abort(): void } {
  const controller = new AbortController();
  const abort = () => controller.abort();
  for (const event of ['wheel', 'pointerdown', 'keydown']) {
    node.addEventListener(event, abort, {
      signal: controller.signal,
      passive: true,
      capture: true
    });
  }
  return { signal: controller.signal, abort };
}
