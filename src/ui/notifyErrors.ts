import { Dialog, Notification } from '@jupyterlab/apputils';

/** Run something whose refusal has no better place than a notification. */
export async function notifying(action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    notifyError(error);
  }
}

/** Say why something could not be done. */
export function notifyError(error: unknown): void {
  Notification.error(error instanceof Error ? error.message : String(error), {
    autoClose: 10_000
  });
}

/** Milliseconds after which what takes longer is announced. */
const PATIENCE = 700;

/**
 * Run a command that starts something and may have been chosen in a menu, where no button shows that it is under way:
 * what takes a while is announced, except while a dialog asks something, and what is refused is said.
 */
export async function starting(
  announcement: string,
  action: () => Promise<void>
): Promise<void> {
  let shown = '';
  let timer: ReturnType<typeof setTimeout> | undefined;
  let over = false;
  const hide = () => {
    clearTimeout(timer);
    Notification.dismiss(shown);
  };
  const wait = () => {
    clearTimeout(timer);
    if (!over) {
      timer = setTimeout(() => {
        shown = Notification.emit(announcement, 'in-progress', {
          autoClose: false
        });
      }, PATIENCE);
    }
  };
  const onDialog = (_: unknown, dialog: Dialog<unknown>) => {
    hide();
    dialog.disposed.connect(wait);
  };
  Dialog.tracker.widgetAdded.connect(onDialog);
  wait();
  try {
    await notifying(action);
  } finally {
    over = true;
    Dialog.tracker.widgetAdded.disconnect(onDialog);
    hide();
  }
}
