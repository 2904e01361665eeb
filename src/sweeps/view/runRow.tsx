import type { TranslationBundle } from '@jupyterlab/translation';
import { notebookIcon, stopIcon } from '@jupyterlab/ui-components';
import * as React from 'react';
import type { RunSummary } from '../../api/schema';
import { RUN_CLASS } from '../../model/commandIds';
import { isOver } from '../../model/states';
import { formatDuration } from '../../ui/format';
import { mlopsIcon, promoteIcon } from '../../ui/icons';
import { useNow } from '../../ui/useNow';
import {
  metricText,
  noteInstead,
  noteOf,
  valueText,
  type IColumn
} from './columns';
import { runWord } from './sweepStates';
import { runSeconds } from './timing';

/** What can be done with a run; the same object for as long as the view lives. */
export interface IRunActions {
  open(run: RunSummary): void;
  stop(run: RunSummary): void;
  mlflow(run: RunSummary): void;
  /** Whether it can become a pipeline. */
  canPromote(run: RunSummary): boolean;
  promote(run: RunSummary): void;
}

/** Whether there is an executed notebook to open, or one is on its way. */
export function canOpen(run: RunSummary): boolean {
  return run.started_at !== null || run.state === 'starting';
}

export interface IRunRowProps {
  id: string;
  run: RunSummary;
  /** Pixels from the first row's top. */
  top: number;
  /** Among the rows shown, from 0. */
  position: number;
  columns: readonly IColumn[];
  /** Of the kernel, lower case. */
  language: string;
  best: boolean;
  selected: boolean;
  actions: IRunActions;
  trans: TranslationBundle;
  onSelect(id: string): void;
}

/** One run. */
export const RunRow = React.memo(function RunRow(
  props: IRunRowProps
): JSX.Element {
  const { run, columns, selected, best, trans } = props;
  const shown = noteInstead(run)
    ? columns.filter(({ kind }) => kind !== 'metric')
    : columns;
  return (
    <div
      id={props.id}
      className={`jp-MlopsRun-row ${RUN_CLASS}`}
      role="row"
      aria-rowindex={props.position + 2}
      aria-selected={selected}
      data-run-id={run.id}
      data-state={run.state}
      data-best={best || undefined}
      data-odd={props.position % 2 === 1 || undefined}
      style={{ transform: `translateY(${props.top}px)` }}
      onClick={() => props.onSelect(run.id)}
      onDoubleClick={() => props.actions.open(run)}
    >
      {shown.map(column => (
        <Cell
          key={column.id}
          column={column}
          span={column.kind === 'note' ? 1 + columns.length - shown.length : 1}
          {...props}
        />
      ))}
      <div role="gridcell" data-kind="actions">
        <RowActions run={run} actions={props.actions} trans={trans} />
      </div>
    </div>
  );
});

function Cell(
  props: IRunRowProps & { column: IColumn; span: number }
): JSX.Element {
  const { run, column, span, best, trans } = props;
  const cell = (
    content: React.ReactNode,
    title?: string,
    numeric = false
  ): JSX.Element => (
    <div
      role="gridcell"
      data-kind={column.kind}
      data-column={column.id}
      data-numeric={numeric || undefined}
      data-compared={column.compared || undefined}
      title={title || undefined}
      {...(span > 1 && {
        'aria-colspan': span,
        style: { gridColumn: `span ${span}` }
      })}
    >
      {content}
    </div>
  );
  switch (column.kind) {
    case 'index':
      return cell(
        <>
          <span
            className="jp-MlopsRun-star"
            {...(best && { role: 'img', 'aria-label': trans.__('best run') })}
          >
            {best ? '★' : ''}
          </span>
          {run.index + 1}
        </>,
        best ? trans.__('The best run so far') : undefined,
        true
      );
    case 'state':
      return cell(
        <>
          <span
            className="jp-MlopsDot"
            data-state={run.state}
            aria-hidden="true"
          />
          {run.stop_requested && !isOver(run.state)
            ? trans.__('Stopping')
            : runWord(run.state, trans)}
        </>,
        noteOf(run)
      );
    case 'parameter': {
      const value = run.parameters[column.name];
      const text = valueText(value, props.language);
      return cell(
        text,
        typeof value === 'number' ? String(value) : text,
        typeof value === 'number'
      );
    }
    case 'metric': {
      const value = run.metrics[column.name];
      return cell(
        run.not_finite[column.name] ?? metricText(value, column.decimals),
        value === undefined ? undefined : String(value),
        true
      );
    }
    case 'cell':
      return cell(<Progress run={run} trans={trans} />);
    case 'duration':
      return cell(<Duration run={run} />, undefined, true);
    case 'worker':
      return cell(run.worker, run.worker);
    case 'note':
      return cell(noteOf(run), noteOf(run));
  }
}

function Progress(props: {
  run: RunSummary;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { run, trans } = props;
  if (run.cells === 0 || run.state === 'queued') {
    return null;
  }
  const label = `${run.cell}/${run.cells}`;
  if (isOver(run.state)) {
    return <>{label}</>;
  }
  return (
    <>
      <span>{label}</span>
      <span
        className="jp-MlopsBar"
        role="progressbar"
        aria-label={trans.__('Cells executed')}
        aria-valuemin={0}
        aria-valuemax={run.cells}
        aria-valuenow={run.cell}
      >
        <span
          data-state="running"
          style={{ width: `${(run.cell / run.cells) * 100}%` }}
        />
      </span>
    </>
  );
}

/** Ticks while the run is live. */
export function Duration(props: { run: RunSummary }): JSX.Element {
  const { run } = props;
  const now = useNow(run.started_at !== null && !isOver(run.state));
  const seconds = runSeconds(run, now);
  if (seconds === null) {
    return <></>;
  }
  // tenths of what is still going on would only flicker
  return <>{formatDuration(seconds, isOver(run.state))}</>;
}

function RowActions(props: {
  run: RunSummary;
  actions: IRunActions;
  trans: TranslationBundle;
}): JSX.Element {
  const { run, actions, trans } = props;
  const button = (
    label: string,
    icon: typeof stopIcon,
    enabled: boolean,
    act: () => void
  ): JSX.Element => (
    <button
      type="button"
      className="jp-MlopsIconButton"
      // by keyboard: Enter on the row, and the same buttons in its details
      tabIndex={-1}
      title={label}
      aria-label={label}
      disabled={!enabled}
      onDoubleClick={event => event.stopPropagation()}
      onClick={event => {
        event.stopPropagation();
        act();
      }}
    >
      <icon.react tag="span" width="16px" height="16px" />
    </button>
  );
  return (
    <>
      {!isOver(run.state) &&
        button(
          trans.__('Stop run %1', run.index + 1),
          stopIcon,
          !run.stop_requested,
          () => actions.stop(run)
        )}
      {actions.canPromote(run) &&
        button(
          trans.__('Promote run %1 to a pipeline', run.index + 1),
          promoteIcon,
          true,
          () => actions.promote(run)
        )}
      {run.mlflow_run_id &&
        button(
          trans.__('Open run %1 in MLflow', run.index + 1),
          mlopsIcon,
          true,
          () => actions.mlflow(run)
        )}
      {button(
        trans.__('Open the notebook of run %1', run.index + 1),
        notebookIcon,
        canOpen(run),
        () => actions.open(run)
      )}
    </>
  );
}
