import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { Run, RunSummary, Sweep } from '../../api/schema';
import type { Selection } from '../../model/selection';
import { isOver } from '../../model/states';
import { formatCount } from '../../ui/format';
import {
  buildColumns,
  filterOf,
  PLANNED_ORDER,
  sortRuns,
  type IColumn,
  type ISort,
  type RunFilter
} from './columns';
import { ObjectiveChooser, Slots, StateFilter } from './runControls';
import type { IRunActions } from './runRow';
import { RunStrip } from './runStrip';
import { RunTable } from './runTable';
import type { IPageActions } from './sweepActions';
import { SweepDetails } from './sweepDetails';
import { Header } from './sweepHeader';
import { runWord } from './sweepStates';

export interface ISweepPageProps {
  sweep: Sweep;
  runs: readonly RunSummary[];
  loaded: boolean;
  /** Of the run that is selected; null where none is, or while they are being fetched. */
  details: Run | null;
  selection: Selection;
  /** What was refused or could not be fetched; empty while all is well. */
  error: string;
  actions: IPageActions;
  runActions: IRunActions;
  trans: TranslationBundle;
}

type Tab = 'runs' | 'details';

/** A sweep: how it stands, its runs, and what it is. */
export function SweepPage(props: ISweepPageProps): JSX.Element {
  const { sweep, trans, error } = props;
  const [tab, setTab] = React.useState<Tab>('runs');
  const [filter, setFilter] = React.useState<RunFilter | null>(null);
  const id = React.useId();
  const tabOf = (name: Tab, label: string) => (
    <button
      type="button"
      role="tab"
      id={`${id}-${name}`}
      aria-selected={tab === name}
      aria-controls={`${id}-panel`}
      className="jp-MlopsTab"
      onClick={() => setTab(name)}
    >
      {label}
    </button>
  );
  return (
    <div className="jp-MlopsPage" data-sweep-id={sweep.id}>
      <Header {...props} />
      {error && (
        <div className="jp-MlopsProblem" role="alert">
          {error}
        </div>
      )}
      <div className="jp-MlopsControls">
        <span role="tablist" aria-label={trans.__('Sweep')}>
          {tabOf('runs', trans.__('Runs'))}
          {tabOf('details', trans.__('Details'))}
        </span>
        {tab === 'runs' && (
          <>
            {props.runs.length > 0 && (
              <StateFilter {...props} filter={filter} onFilter={setFilter} />
            )}
            <span className="jp-MlopsControls-right">
              <ObjectiveChooser {...props} />
              <Slots {...props} />
            </span>
          </>
        )}
      </div>
      <div
        className="jp-MlopsPage-panel"
        role="tabpanel"
        id={`${id}-panel`}
        aria-labelledby={`${id}-${tab}`}
      >
        {/* kept, so that order and place are the same afterwards */}
        <div className="jp-MlopsPage-runs" hidden={tab !== 'runs'}>
          <Runs {...props} filter={filter} onFilter={setFilter} />
        </div>
        {tab === 'details' && <SweepDetails {...props} />}
      </div>
    </div>
  );
}

function Runs(
  props: ISweepPageProps & {
    filter: RunFilter | null;
    onFilter(filter: RunFilter | null): void;
  }
): JSX.Element {
  const { sweep, runs, filter, selection, trans } = props;
  const selected = selection.current;
  const [sort, setSort] = React.useState<ISort>(PLANNED_ORDER);
  const last = React.useRef<readonly IColumn[]>([]);
  const columns = (last.current = React.useMemo(
    () => buildColumns(sweep, runs, last.current),
    [sweep, runs]
  ));
  const never = React.useMemo(
    () =>
      runs.filter(run => run.state === 'stopped' && run.started_at === null),
    [runs]
  );
  // one line instead of rows that all say the same; filtered by their state they are shown
  const together = never.length > 1 && filter === null;
  const shown = React.useMemo(() => {
    const left = together ? new Set(never) : null;
    return sortRuns(
      runs.filter(run => (filter ? filterOf(run) === filter : !left?.has(run))),
      columns,
      sort
    );
  }, [runs, never, together, filter, columns, sort]);
  const run = React.useMemo(
    () => runs.find(({ id }) => id === selected),
    [runs, selected]
  );
  if (runs.length === 0) {
    return <Nothing {...props} />;
  }
  const more = sweep.total - sweep.planned;
  return (
    <div className="jp-MlopsRunsPane">
      <div className="jp-MlopsRunsPane-table">
        <RunTable
          sweep={sweep}
          runs={shown}
          columns={columns}
          sort={sort}
          selected={selected}
          actions={props.runActions}
          trans={trans}
          onSort={setSort}
          onSelect={id => selection.select(id)}
        />
        {filter && shown.length === 0 && (
          <p className="jp-MlopsRunsPane-note">
            {trans.__('No run is in the state “%1”.', runWord(filter, trans))}{' '}
            <button
              type="button"
              className="jp-MlopsLink"
              onClick={() => props.onFilter(null)}
            >
              {trans.__('Show all')}
            </button>
          </p>
        )}
        {together && (
          <p className="jp-MlopsRunsPane-note">
            {trans.__(
              '%1 runs were stopped before they started.',
              never.length
            )}{' '}
            <button
              type="button"
              className="jp-MlopsLink"
              onClick={() => props.onFilter('stopped')}
            >
              {trans.__('Show them')}
            </button>
          </p>
        )}
        {!filter && more > 0 && (
          <p className="jp-MlopsRunsPane-note">
            {isOver(sweep.state)
              ? trans._n(
                  '%1 more was not begun.',
                  '%1 more were not begun.',
                  more
                )
              : trans.__('%1 more follow.', formatCount(more))}
          </p>
        )}
      </div>
      {run && (
        <RunStrip
          sweep={sweep}
          run={run}
          details={props.details}
          actions={props.runActions}
          trans={trans}
          onClose={() => selection.select()}
        />
      )}
    </div>
  );
}

/** Why there are no runs, and what comes next. */
function Nothing(props: ISweepPageProps): JSX.Element {
  const { sweep, loaded, trans } = props;
  let text: string;
  if (!loaded) {
    text = trans.__('The runs are being fetched.');
  } else if (isOver(sweep.state)) {
    text = trans.__('No run was begun.');
  } else if (sweep.state === 'starting') {
    text = trans.__(
      'Workers are starting on %1. The first of %2 runs goes alone and shows what a run takes; then as many go at once as cores and memory allow.',
      sweep.target,
      formatCount(sweep.total)
    );
  } else {
    text = trans.__(
      '%1 runs will be listed here as they are planned, one row each. You can close JupyterLab meanwhile: the sweep goes on.',
      formatCount(sweep.total)
    );
  }
  return <p className="jp-MlopsNothing">{text}</p>;
}
