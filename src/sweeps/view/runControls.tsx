import type { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';
import type { RunSummary, Sweep } from '../../api/schema';
import { isOver } from '../../model/states';
import { formatCount } from '../../ui/format';
import {
  countRuns,
  likelyDirection,
  metricNames,
  type RunFilter
} from './columns';
import type { IPageActions } from './sweepActions';
import { runWord } from './sweepStates';

/** Milliseconds after the last key or click until the number of slots is sent. */
const SETTLED = 500;

export interface IControlsProps {
  sweep: Sweep;
  runs: readonly RunSummary[];
  actions: IPageActions;
  trans: TranslationBundle;
}

/** Which runs are listed. */
export function StateFilter(props: {
  sweep: Sweep;
  runs: readonly RunSummary[];
  filter: RunFilter | null;
  trans: TranslationBundle;
  onFilter(filter: RunFilter | null): void;
}): JSX.Element {
  const { sweep, runs, filter, trans } = props;
  const live = !isOver(sweep.state);
  const counts = React.useMemo(() => countRuns(runs, live), [runs, live]);
  // a chosen state stays to be seen when its last run leaves it
  const states: [RunFilter, number][] =
    filter && !counts.some(([state]) => state === filter)
      ? [...counts, [filter, 0]]
      : counts;
  const chip = (state: RunFilter | null, label: string, count: number) => (
    <button
      key={state ?? 'all'}
      type="button"
      className="jp-MlopsFilter"
      data-state={state ?? 'all'}
      aria-pressed={filter === state}
      onClick={() => props.onFilter(filter === state ? null : state)}
    >
      {state && (
        <span className="jp-MlopsDot" data-state={state} aria-hidden="true" />
      )}
      {label} <span className="jp-MlopsFilter-count">{formatCount(count)}</span>
    </button>
  );
  return (
    <div
      className="jp-MlopsFilters"
      role="group"
      aria-label={trans.__('Filter by state')}
    >
      {chip(null, trans.__('All'), runs.length)}
      {states.map(([state, count]) =>
        chip(state, runWord(state, trans), count)
      )}
    </div>
  );
}

/** By which metric runs are compared; it may be chosen at any time. */
export function ObjectiveChooser(props: IControlsProps): JSX.Element | null {
  const { sweep, runs, actions, trans } = props;
  const { objective } = sweep;
  const names = React.useMemo(() => {
    const seen = metricNames(sweep, runs);
    return objective && !seen.includes(objective.metric)
      ? [objective.metric, ...seen]
      : seen;
  }, [sweep, runs, objective]);
  if (names.length === 0) {
    return null;
  }
  return (
    <span className="jp-MlopsControl">
      <label>
        <span className="jp-MlopsControl-label">{trans.__('Metric')}</span>
        <HTMLSelect
          className="jp-MlopsSelect jp-MlopsObjective"
          aria-label={trans.__('Metric by which runs are compared')}
          value={objective?.metric ?? ''}
          onChange={event => {
            const metric = event.target.value;
            if (metric) {
              actions.change({
                objective: { metric, direction: likelyDirection(metric) }
              });
            }
          }}
        >
          {!objective && (
            <option value="">{trans.__('choose to find the best…')}</option>
          )}
          {names.map(name => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </HTMLSelect>
      </label>
      {objective && (
        <HTMLSelect
          className="jp-MlopsSelect jp-MlopsDirection"
          aria-label={trans.__('Direction')}
          value={objective.direction}
          options={[
            { value: 'maximize', label: trans.__('maximise') },
            { value: 'minimize', label: trans.__('minimise') }
          ]}
          onChange={event =>
            actions.change({
              objective: {
                metric: objective.metric,
                direction: event.target.value as 'maximize' | 'minimize'
              }
            })
          }
        />
      )}
    </span>
  );
}

/** How many runs go at once, adjustable while they do. */
export function Slots(props: IControlsProps): JSX.Element | null {
  const { sweep, actions, trans } = props;
  const [typed, setTyped] = React.useState<string | null>(null);
  const timer = React.useRef<ReturnType<typeof setTimeout>>();
  React.useEffect(() => () => clearTimeout(timer.current), []);
  // what was typed is shown until the sweep says it, too
  React.useEffect(() => setTyped(null), [sweep.slots]);
  if (isOver(sweep.state) || sweep.deleted_at) {
    return null;
  }
  const open =
    sweep.confirmed && sweep.slots_open > 0 ? sweep.slots_open : null;
  const value = sweep.slots ?? open;
  return (
    <label
      className="jp-MlopsControl"
      title={trans.__(
        'How many runs go at once at most; cores and memory may allow fewer'
      )}
    >
      <span className="jp-MlopsControl-label">{trans.__('At once')}</span>
      <input
        type="number"
        className="jp-mod-styled jp-MlopsSlots"
        min={1}
        step={1}
        placeholder={trans.__('auto')}
        value={typed ?? (value === null ? '' : String(value))}
        onChange={event => {
          const text = event.target.value;
          setTyped(text);
          clearTimeout(timer.current);
          const slots = Number(text);
          if (Number.isInteger(slots) && slots >= 1) {
            timer.current = setTimeout(
              () => actions.change({ slots }),
              SETTLED
            );
          }
        }}
        onBlur={() => {
          if (typed !== null && !(Number(typed) >= 1)) {
            setTyped(null);
          }
        }}
      />
      {open !== null && open !== value && (
        <span className="jp-MlopsControl-note">
          {trans.__('%1 open', open)}
        </span>
      )}
    </label>
  );
}
