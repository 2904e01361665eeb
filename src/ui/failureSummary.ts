/** What failed while a person looked elsewhere: one notification, however much it was. */
import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

export interface IFailure {
  /** Id of the sweep or pipeline that failed. */
  id: string;
  /** Of the sweep or pipeline. */
  name: string;
  /** Said where nothing else failed. */
  text: string;
  open(): void;
}

/** Milliseconds for which it is in sight; then it is among JupyterLab's notifications. */
const IN_SIGHT = 15_000;

/** What the notification in sight tells of, the last one last. */
let told: readonly IFailure[] = [];
let notice = '';

/** Whether what was told of a sweep or pipeline has not been dismissed. */
export function isUnread(id: string): boolean {
  return (
    Notification.manager.has(notice) && told.some(failure => failure.id === id)
  );
}

/** Tell a person of a failure, together with those that were not dismissed. */
export function tellFailure(failure: IFailure, trans: TranslationBundle): void {
  const unread = Notification.manager.has(notice) ? told : [];
  show([...unread.filter(({ id }) => id !== failure.id), failure], trans);
}

/** It went well after all. */
export function withdrawFailure(id: string, trans: TranslationBundle): void {
  if (isUnread(id)) {
    show(
      told.filter(failure => failure.id !== id),
      trans
    );
  }
}

function show(failures: readonly IFailure[], trans: TranslationBundle): void {
  Notification.dismiss(notice);
  told = failures;
  const last = failures.at(-1);
  if (last) {
    const names = failures.map(({ name }) => trans.__('“%1”', name));
    notice = Notification.warning(
      failures.length === 1
        ? last.text
        : trans.__(
            '%1 sweeps and pipelines failed: %2.',
            failures.length,
            names.join(', ')
          ),
      {
        autoClose: IN_SIGHT,
        actions: [
          {
            label:
              failures.length === 1
                ? trans.__('Open')
                : trans.__('Open “%1”', last.name),
            callback: () => last.open()
          }
        ]
      }
    );
  }
}
