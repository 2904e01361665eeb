import type { TranslationBundle } from '@jupyterlab/translation';
import { useVirtualizer } from '@tanstack/react-virtual';
import * as React from 'react';
import type { RunSummary, Sweep } from '../../api/schema';
import { nextSort, type IColumn, type ISort } from './columns';
import { RunRow, type IRunActions } from './runRow';

const ROW = 28;
const HEAD = 29;

export interface IRunTableProps {
  sweep: Sweep;
  /** As filtered and sorted. */
  runs: readonly RunSummary[];
  columns: readonly IColumn[];
  sort: ISort;
  selected: string | null;
  actions: IRunActions;
  trans: TranslationBundle;
  onSort(sort: ISort): void;
  onSelect(id: string): void;
}

/**
 * Runs, one row each; only the rows in sight are drawn.
 *
 * The grid has the focus and names its active row, so that arrows work on rows that come and go.
 */
export function RunTable(props: IRunTableProps): JSX.Element {
  const { sweep, runs, columns, selected, trans } = props;
  const id = React.useId();
  const scroller = React.useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: runs.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 8,
    getItemKey: index => runs[index]?.id ?? index
  });
  const at = React.useMemo(
    () => runs.findIndex(run => run.id === selected),
    [runs, selected]
  );
  const place = React.useRef(at);
  place.current = at;
  // before it is painted: the details of a run that is selected take room from the table
  React.useLayoutEffect(() => {
    if (scroller.current && place.current >= 0) {
      reveal(scroller.current, place.current);
    }
  }, [selected]);
  const width = columns.reduce((sum, column) => sum + column.width, 0);
  return (
    <div
      ref={scroller}
      className="jp-MlopsRuns"
      role="grid"
      aria-label={trans.__('Runs of %1', sweep.name)}
      aria-rowcount={runs.length + 1}
      aria-colcount={columns.length + 1}
      aria-activedescendant={at >= 0 ? `${id}-${selected}` : undefined}
      tabIndex={0}
      style={{ '--jp-mlops-columns': template(columns) } as React.CSSProperties}
      onKeyDown={event => moved(event, props, at, pageOf(scroller.current))}
    >
      <div className="jp-MlopsRuns-inner" style={{ minWidth: width }}>
        <Head {...props} />
        <div
          className="jp-MlopsRuns-rows"
          role="rowgroup"
          style={{ height: rows.getTotalSize() }}
        >
          {rows.getVirtualItems().map(item => {
            const run = runs[item.index];
            return (
              run && (
                <RunRow
                  key={run.id}
                  id={`${id}-${run.id}`}
                  run={run}
                  top={item.start}
                  position={item.index}
                  columns={columns}
                  language={sweep.language}
                  best={run.id === sweep.best_run_id}
                  selected={run.id === selected}
                  actions={props.actions}
                  trans={trans}
                  onSelect={props.onSelect}
                />
              )
            );
          })}
        </div>
      </div>
    </div>
  );
}

/** Scroll no further than it takes to have a row in sight. */
function reveal(scroller: HTMLElement, index: number): void {
  const top = index * ROW;
  const height = scroller.clientHeight - HEAD;
  if (top < scroller.scrollTop) {
    scroller.scrollTop = top;
  } else if (top + ROW > scroller.scrollTop + height) {
    scroller.scrollTop = top + ROW - height;
  }
}

function template(columns: readonly IColumn[]): string {
  return [
    ...columns.map(({ kind, width }) =>
      kind === 'note' ? `minmax(${width}px, 1fr)` : `${width}px`
    ),
    // what can be done with a run lies over the last columns while it is pointed at
    '0'
  ].join(' ');
}

function pageOf(scroller: HTMLElement | null): number {
  return Math.max(1, Math.floor((scroller?.clientHeight ?? 0) / ROW) - 2);
}

function moved(
  event: React.KeyboardEvent,
  props: IRunTableProps,
  at: number,
  page: number
): void {
  // keys of the buttons inside are their own
  if (event.target !== event.currentTarget || props.runs.length === 0) {
    return;
  }
  const last = props.runs.length - 1;
  const steps: Record<string, number> = {
    ArrowDown: at + 1,
    ArrowUp: at < 0 ? 0 : at - 1,
    PageDown: at + page,
    PageUp: at - page,
    Home: 0,
    End: last
  };
  const target = steps[event.key];
  const run = props.runs[Math.min(last, Math.max(0, target ?? at))];
  if (target !== undefined && run) {
    event.preventDefault();
    props.onSelect(run.id);
  } else if (event.key === 'Enter' && at >= 0 && run) {
    event.preventDefault();
    props.actions.open(run);
  }
}

const Head = React.memo(
  function Head(props: IRunTableProps): JSX.Element {
    const { columns, sort, sweep, trans } = props;
    return (
      <div className="jp-MlopsRuns-head" role="row" aria-rowindex={1}>
        {columns.map(column => {
          const sorted = sort.column === column.id;
          return (
            <div
              key={column.id}
              role="columnheader"
              data-kind={column.kind}
              data-column={column.id}
              aria-sort={
                sorted ? (sort.descending ? 'descending' : 'ascending') : 'none'
              }
            >
              <button
                type="button"
                title={hint(column, sweep, trans)}
                onClick={() => props.onSort(nextSort(sort, column, sweep))}
              >
                <span>{labelOf(column, trans)}</span>
                <span className="jp-MlopsRuns-arrow" aria-hidden="true">
                  {sorted ? (sort.descending ? '↓' : '↑') : ''}
                </span>
              </button>
            </div>
          );
        })}
        <div role="columnheader" data-kind="actions">
          <span className="jp-MlopsHidden">{trans.__('Actions')}</span>
        </div>
      </div>
    );
  },
  (before, after) =>
    before.columns === after.columns &&
    before.sort === after.sort &&
    before.sweep.objective === after.sweep.objective
);

export function labelOf(column: IColumn, trans: TranslationBundle): string {
  switch (column.kind) {
    case 'index':
      return '#';
    case 'state':
      return trans.__('State');
    case 'parameter':
    case 'metric':
      return column.name;
    case 'cell':
      return trans.__('Cells');
    case 'duration':
      return trans.__('Duration');
    case 'worker':
      return trans.__('Worker');
    case 'note':
      return trans.__('Note');
  }
}

function hint(column: IColumn, sweep: Sweep, trans: TranslationBundle): string {
  if (column.kind === 'parameter') {
    return trans.__('Parameter %1', column.name);
  }
  if (column.kind === 'metric') {
    return sweep.objective?.metric === column.name
      ? sweep.objective.direction === 'maximize'
        ? trans.__('Metric %1, the higher the better', column.name)
        : trans.__('Metric %1, the lower the better', column.name)
      : trans.__('Metric %1', column.name);
  }
  return labelOf(column, trans);
}
