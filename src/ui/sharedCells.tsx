/** Cells at a notebook's beginning that run once per slot: whether there are any, and which. */
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { SpaceCheck } from '../api/schema';

/** Whether the runs of a space can go on from cells that ran once. */
export function canShare(check: SpaceCheck): boolean {
  const { total, prefix } = check;
  // what one run executes is executed once anyway
  return total > 1 && prefix.end > 0 && prefix.cells.length > 0;
}

/** The first lines of code cells, for a person to recognise them by. */
export function CellList(props: {
  cells: readonly string[];
  trans: TranslationBundle;
}): JSX.Element {
  return (
    <ul
      className="jp-MlopsCells"
      // a long list is scrolled, by keyboard too
      tabIndex={0}
      aria-label={props.trans.__('Code cells that run once per slot')}
    >
      {props.cells.map((line, index) => (
        <li key={index} title={line}>
          {line}
        </li>
      ))}
    </ul>
  );
}
