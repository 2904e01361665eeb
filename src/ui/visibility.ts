/** Whether a widget is in sight, however it came there or left. */
import { DisposableDelegate, type IDisposable } from '@lumino/disposable';
import { MessageLoop, type Message } from '@lumino/messaging';
import type { Widget } from '@lumino/widgets';

/**
 * Calls `react` whenever a widget comes into sight or leaves it, and at once with how it is now.
 *
 * A widget that is added in front is attached and never shown, one that is put into a hidden panel is attached and
 * not visible: listening to one of these messages alone misses the others.
 */
export function followVisibility(
  widget: Widget,
  react: (visible: boolean) => void
): IDisposable {
  let before = widget.isVisible;
  const hook = (_: unknown, message: Message): boolean => {
    const visible = visibleAfter(widget, message);
    if (visible !== null && visible !== before) {
      before = visible;
      react(visible);
    }
    return true;
  };
  MessageLoop.installMessageHook(widget, hook);
  react(before);
  return new DisposableDelegate(() =>
    MessageLoop.removeMessageHook(widget, hook)
  );
}

/** A hook comes before the widget itself has taken the message; null for messages of something else. */
function visibleAfter(widget: Widget, message: Message): boolean | null {
  switch (message.type) {
    case 'after-show':
      return true;
    case 'after-attach':
      return !widget.isHidden && (!widget.parent || widget.parent.isVisible);
    case 'before-hide':
    case 'before-detach':
      return false;
    default:
      return null;
  }
}
