import type { TranslationBundle } from '@jupyterlab/translation';
import { stopIcon } from '@jupyterlab/ui-components';
import * as React from 'react';
import type { Sweep } from '../../api/schema';
import type { SweepShelf } from '../../model';
import { SWEEP_CLASS } from '../../model/commandIds';
import { finishedRuns, isOver } from '../../model/states';
import {
  formatBytes,
  formatCount,
  formatNumber,
  formatTime
} from '../../ui/format';
import { useRoving } from '../../ui/roving';
import { SweepBar } from '../../ui/sweepBar';

/** Rows drawn before a person asks for more. */
const PAGE = 40;

export interface ISweepListProps {
  sweeps: readonly Sweep[];
  /** What stands above the rows; empty for the first list. */
  title: string;
  shelf: SweepShelf;
  trans: TranslationBundle;
  onOpen(id: string): void;
  onStop(id: string): void;
  onRestore(id: string): void;
}

/** Sweeps, newest first, each in two lines that say how it stands. */
export function SweepList(props: ISweepListProps): JSX.Element | null {
  const { sweeps, title, trans } = props;
  const [shown, setShown] = React.useState(PAGE);
  const roving = useRoving<HTMLUListElement>();
  if (sweeps.length === 0) {
    return null;
  }
  return (
    <>
      {title && <h3 className="jp-MlopsShelf">{title}</h3>}
      <ul
        className="jp-MlopsSweeps"
        aria-label={title || trans.__('Sweeps')}
        {...roving}
      >
        {sweeps.slice(0, shown).map(sweep => (
          <Row key={sweep.id} sweep={sweep} {...props} />
        ))}
      </ul>
      {sweeps.length > shown && (
        <button
          type="button"
          className="jp-MlopsLink"
          onClick={() => setShown(shown + PAGE)}
        >
          {trans.__('Show %1 more', Math.min(PAGE, sweeps.length - shown))}
        </button>
      )}
    </>
  );
}

const Row = React.memo(
  function Row(props: ISweepListProps & { sweep: Sweep }): JSX.Element {
    const { sweep, shelf, trans } = props;
    const live = !isOver(sweep.state) && !sweep.deleted_at;
    const failed = sweep.counts['failed'] ?? 0;
    const note = noteOf(sweep, trans);
    return (
      <li
        className={SWEEP_CLASS}
        data-sweep-id={sweep.id}
        data-state={sweep.state}
        data-shelf={shelf}
        data-live={live}
        title={tooltip(sweep, trans)}
      >
        <button
          type="button"
          className="jp-MlopsSweep-open"
          onClick={() => props.onOpen(sweep.id)}
        >
          <span className="jp-MlopsSweep-line">
            <span
              className="jp-MlopsDot"
              data-state={sweep.state}
              aria-hidden="true"
            />
            <span className="jp-MlopsSweep-name">{sweep.name}</span>
            {sweep.best_value !== null && (
              <span className="jp-MlopsSweep-best">
                <span className="jp-MlopsSweep-metric">
                  {sweep.objective?.metric}{' '}
                </span>
                {formatNumber(sweep.best_value)}{' '}
                <span aria-hidden="true">★</span>
              </span>
            )}
          </span>
          <span className="jp-MlopsSweep-line">
            <SweepBar sweep={sweep} trans={trans} />
            <span className="jp-MlopsSweep-count">
              {formatCount(finishedRuns(sweep))}/{formatCount(sweep.total)}
            </span>
          </span>
          {(note || failed > 0) && (
            <span className="jp-MlopsSweep-note">
              {failed > 0 && (
                <span className="jp-mod-failed">
                  {trans._n('%1 failed', '%1 failed', failed)}
                </span>
              )}
              {failed > 0 && note ? ' · ' : ''}
              {note}
            </span>
          )}
        </button>
        {live && (
          <button
            type="button"
            className="jp-MlopsIconButton"
            disabled={sweep.stop_requested || sweep.state === 'stopping'}
            title={trans.__('Stop “%1”', sweep.name)}
            aria-label={trans.__('Stop “%1”', sweep.name)}
            onClick={() => props.onStop(sweep.id)}
          >
            <stopIcon.react tag="span" width="16px" height="16px" />
          </button>
        )}
        {sweep.deleted_at && (
          <button
            type="button"
            className="jp-MlopsLink"
            onClick={() => props.onRestore(sweep.id)}
          >
            {trans.__('Restore')}
          </button>
        )}
      </li>
    );
  },
  (before, after) =>
    before.sweep === after.sweep && before.shelf === after.shelf
);

/** One line where the bar alone does not say how it stands. */
function noteOf(sweep: Sweep, trans: TranslationBundle): string {
  if (sweep.deleted_at) {
    return trans.__('deleted %1', formatTime(sweep.deleted_at));
  }
  if (sweep.stop_requested && !isOver(sweep.state)) {
    return trans.__('stopping');
  }
  switch (sweep.state) {
    case 'queued':
    case 'starting':
      return sweep.message || trans.__('starting');
    case 'paused':
      return sweep.message
        ? trans.__('paused: %1', sweep.message)
        : trans.__('paused');
    case 'stopped':
      return trans.__('stopped');
    case 'failed':
      return (sweep.counts['failed'] ?? 0) > 0 ? '' : sweep.message;
    default:
      return sweep.pause_requested ? trans.__('pausing') : '';
  }
}

function tooltip(sweep: Sweep, trans: TranslationBundle): string {
  return [
    sweep.name,
    sweep.path,
    trans.__(
      '%1, %2 of %3 runs',
      sweep.state,
      finishedRuns(sweep),
      sweep.total
    ),
    sweep.message,
    sweep.varied.length > 0 && trans.__('varies %1', sweep.varied.join(', ')),
    sweep.occupies > 0 && trans.__('occupies %1', formatBytes(sweep.occupies))
  ]
    .filter(Boolean)
    .join('\n');
}
