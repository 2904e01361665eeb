/** What is used of JupyterLab's launcher; the package itself is JupyterLab's, and is not installed to build. */
declare module '@jupyterlab/launcher' {
  import type { Token } from '@lumino/coreutils';

  export interface ILauncher {
    add(item: { command: string; category?: string; rank?: number }): unknown;
  }

  export const ILauncher: Token<ILauncher>;
}
