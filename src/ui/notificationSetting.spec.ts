import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import { expect, it, vi } from 'vitest';
import { notificationSetting } from './notificationSetting';

const registryOf = (load: () => Promise<unknown>) =>
  ({ load }) as unknown as ISettingRegistry;

it('follows the settings as they change', async () => {
  const loaded = { composite: { notifications: true } };
  const wanted = notificationSetting(registryOf(() => Promise.resolve(loaded)));
  await vi.waitFor(() => expect(wanted()).toBe(true));
  loaded.composite.notifications = false;
  await vi.waitFor(() => expect(wanted()).toBe(false));
  loaded.composite.notifications = true;
  expect(wanted()).toBe(true);
});

it('wants notifications where the settings cannot be read, and says why on the console', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  const wanted = notificationSetting(
    registryOf(() => Promise.reject(new Error('The schema is broken.')))
  );
  await vi.waitFor(() => expect(warn).toHaveBeenCalled());
  expect(wanted()).toBe(true);
});
