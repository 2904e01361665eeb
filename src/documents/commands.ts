/** Commands that open executed notebooks. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import { NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import { notebookIcon } from '@jupyterlab/ui-components';
import type { IMlopsModel } from '../model';
import { CommandIDs } from '../model/commandIds';
import { isOver } from '../model/states';
import { runArg, textArg } from '../ui/commandArguments';
import { frozenPath, runPath } from './drive';
import { openExecuted } from './executedNotebooks';

export function addNotebookCommands(
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
      const id = runArg(app, args);
      const run = model.runDetails(id) ?? (await model.client.run(id));
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
