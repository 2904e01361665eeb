import type { Contents } from '@jupyterlab/services';

/** Drives whose files are those of the server's root folder. */
const SERVER_DRIVES = new Set(['', 'RTC']);

/** Tells the path relative to the server's root; null for a path that is no file of this server. */
export function localPaths(
  contents: Contents.IManager
): (path: string) => string | null {
  return path =>
    SERVER_DRIVES.has(contents.driveName(path))
      ? contents.localPath(path)
      : null;
}

/** Ends with this: the name of a file that is a pipeline. */
export const PIPELINE_SUFFIX = '.pipeline.yaml';

export const DRIVE = 'mlops';
