import * as React from 'react';

/** What a list needs to be one stop of the Tab key. */
export interface IRoving<T extends HTMLElement> {
  ref: React.RefObject<T>;
  onFocus(event: React.FocusEvent): void;
  onKeyDown(event: React.KeyboardEvent): void;
}

/**
 * Make a list one stop of the Tab key: Up, Down, Home and End go from row to row, Left and Right through a row's buttons.
 *
 * As in the WAI-ARIA Authoring Practices, "Managing Focus Within Components Using a Roving tabindex".
 */
export function useRoving<T extends HTMLElement>(): IRoving<T> {
  const ref = React.useRef<T>(null);
  // of the button that had the focus last
  const place = React.useRef({
    row: 0,
    column: 0,
    focused: null as Element | null
  });
  React.useLayoutEffect(() => {
    const { focused, row, column } = place.current;
    const list = ref.current;
    const lost =
      focused !== null &&
      (!focused.isConnected || focused.matches(':disabled')) &&
      [null, document.body, focused].includes(document.activeElement);
    const target = list && buttonAt(list, row, column);
    for (const button of list?.querySelectorAll('button') ?? []) {
      button.tabIndex = button === target ? 0 : -1;
    }
    if (lost) {
      target?.focus();
    }
  });
  return {
    ref,
    onFocus: ({ target, currentTarget }) => {
      const row = [...currentTarget.children].findIndex(item =>
        item.contains(target)
      );
      const column = buttonsOf(currentTarget, row).indexOf(
        target as HTMLButtonElement
      );
      if (column >= 0) {
        buttonAt(
          currentTarget,
          place.current.row,
          place.current.column
        )?.setAttribute('tabindex', '-1');
        (target as HTMLElement).tabIndex = 0;
        place.current = { row, column, focused: target };
      }
    },
    onKeyDown: event => {
      const list = event.currentTarget;
      const { row, column } = place.current;
      const last = list.children.length - 1;
      const [nextRow, nextColumn] =
        {
          ArrowDown: [Math.min(last, row + 1), column],
          ArrowUp: [Math.max(0, row - 1), column],
          Home: [0, 0],
          End: [last, 0],
          ArrowRight: [row, column + 1],
          ArrowLeft: [row, Math.max(0, column - 1)]
        }[event.key] ?? [];
      if (nextRow !== undefined && nextColumn !== undefined) {
        event.preventDefault();
        buttonAt(list, nextRow, nextColumn)?.focus();
      }
    }
  };
}

function buttonsOf(list: Element, row: number): HTMLButtonElement[] {
  return [
    ...(list.children[row]?.querySelectorAll<HTMLButtonElement>(
      'button:not(:disabled)'
    ) ?? [])
  ];
}

/** The nearest to a place, where the list has become shorter. */
function buttonAt(
  list: Element,
  row: number,
  column: number
): HTMLButtonElement | undefined {
  const buttons = buttonsOf(list, Math.min(row, list.children.length - 1));
  return buttons[Math.min(column, buttons.length - 1)];
}
