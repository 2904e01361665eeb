import { Notification } from '@jupyterlab/apputils';

/** Run something whose refusal has no better place than a notification. */
export async function notifying(action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    Notification.error(error instanceof Error ? error.message : String(error), {
      autoClose: 10_000
    });
  }
}
