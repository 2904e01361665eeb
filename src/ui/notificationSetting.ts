import type { ISettingRegistry } from '@jupyterlab/settingregistry';

/** Tells whether a person wants notifications, by the settings at the time of asking; until these are known, they are wanted. */
export function notificationSetting(
  settings: ISettingRegistry | null
): () => boolean {
  let loaded: ISettingRegistry.ISettings | null = null;
  settings?.load('jupyter-mlops:plugin').then(
    answer => {
      loaded = answer;
    },
    (reason: unknown) =>
      console.warn('The settings of MLOps could not be read.', reason)
  );
  return () => loaded?.composite['notifications'] !== false;
}
