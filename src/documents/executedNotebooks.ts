/** Executed notebooks as documents: read-only, without a kernel, following their run while it is live. */
import type { IRouter, JupyterFrontEnd } from '@jupyterlab/application';
import type { ISessionContext } from '@jupyterlab/apputils';
import { PageConfig } from '@jupyterlab/coreutils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { INotebookContent } from '@jupyterlab/nbformat';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { IMlopsModel } from '../model';
import { DRIVE } from '../model/paths';
import { type MlopsDrive, parsePath } from './drive';
import { Follower } from './liveNotebook';

export const NO_KERNEL: ISessionContext.IKernelPreference = {
  shouldStart: false,
  canStart: false,
  shouldReuse: false,
  autoStartDefault: false
};

/**
 * The page's address names the document in front. JupyterLab looks for the file browser of its drive
 * then, and executed notebooks have none; so such an address is followed here.
 */
export function addRoute(
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

export function follow(
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

export function openExecuted(documents: IDocumentManager, path: string) {
  return documents.openOrReveal(path, 'Notebook', undefined, {}, NO_KERNEL);
}
