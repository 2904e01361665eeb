import type { ISettingRegistry } from '@jupyterlab/settingregistry';

export async function notifyAsSet(
  settings: ISettingRegistry | null
): Promise<boolean> {
  const loaded = await settings?.load('jupyter-mlops:plugin');
  return loaded?.composite['notifications'] !== false;
}
