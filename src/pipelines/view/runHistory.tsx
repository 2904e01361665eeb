import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { PipelineRun } from '../../api/schema';
import { PIPELINE_RUN_CLASS } from '../../model/commandIds';
import { formatDuration, fullTime } from '../../ui/format';
import {
  causeWord,
  isRunOver,
  runWord,
  secondsOf
} from '../../ui/pipelineStates';
import { useNow } from '../../ui/useNow';
import { momentOf, weeksOf } from './calendarWeeks';

export interface IHistoryProps {
  /** Newest first. */
  runs: readonly PipelineRun[];
  selected: string | null;
  trans: TranslationBundle;
  onSelect(id: string): void;
}

/** As many as a person looks back over, and a page draws at once. */
const MOST_BARS = 400;
const MOST_WEEKS = 53;

/** Past runs, newest to the right; on demand in the days of a calendar. */
export function History(props: IHistoryProps): JSX.Element {
  const { runs, selected, trans, onSelect } = props;
  const [byDay, setByDay] = React.useState(false);
  const id = React.useId();
  const view = React.useRef<HTMLDivElement>(null);
  const order = React.useMemo(
    () =>
      byDay
        ? weeksOf(runs, MOST_WEEKS)
            .flat()
            .flatMap(day => day.runs)
        : runs.slice(0, MOST_BARS).reverse(),
    [runs, byDay]
  );
  const newest = runs[0]?.id;
  React.useEffect(() => {
    const option = selected && document.getElementById(`${id}-${selected}`);
    if (option) {
      option.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    }
  }, [selected, newest, byDay, id]);
  const onKeyDown = (event: React.KeyboardEvent) => {
    const at = order.findIndex(run => run.id === selected);
    const next = {
      ArrowLeft: Math.max(0, at - 1),
      ArrowRight: Math.min(order.length - 1, at + 1),
      Home: 0,
      End: order.length - 1
    }[event.key];
    const run = next === undefined ? undefined : order[next];
    if (run) {
      onSelect(run.id);
      event.preventDefault();
      event.stopPropagation();
    }
  };
  const shared = { id, selected, trans, onSelect };
  return (
    <div className="jp-MlopsHistory" data-by-day={byDay || undefined}>
      <div
        ref={view}
        className="jp-MlopsHistory-view"
        role="listbox"
        tabIndex={0}
        aria-label={trans.__('Past runs')}
        aria-orientation="horizontal"
        {...(selected !== null && {
          'aria-activedescendant': `${id}-${selected}`
        })}
        onKeyDown={onKeyDown}
      >
        {byDay ? (
          <Calendar runs={runs} {...shared} />
        ) : (
          <Strip runs={order} {...shared} />
        )}
      </div>
      <button
        type="button"
        className="jp-MlopsFilter"
        aria-pressed={byDay}
        title={trans.__('Past runs in the days they were meant for')}
        onClick={() => setByDay(!byDay)}
      >
        {trans.__('By day')}
      </button>
    </div>
  );
}

interface IShared {
  id: string;
  selected: string | null;
  trans: TranslationBundle;
  onSelect(id: string): void;
}

function Strip(props: IShared & { runs: readonly PipelineRun[] }): JSX.Element {
  const { runs, trans } = props;
  const live = runs.some(run => run.state === 'running');
  const now = useNow(live);
  const longest = Math.max(...runs.map(run => secondsOf(run, now) ?? 0), 0);
  return (
    <div role="presentation" className="jp-MlopsHistory-strip">
      {longest > 0 && (
        <span className="jp-MlopsHistory-longest" aria-hidden="true">
          {trans.__('%1', formatDuration(longest, !live))}
        </span>
      )}
      {runs.map(run => {
        const seconds = secondsOf(run, now);
        const part =
          longest > 0 && seconds !== null ? (seconds / longest) * 100 : 0;
        return (
          <Option key={run.id} run={run} {...props}>
            <i style={{ height: `max(4px, ${part.toFixed(1)}%)` }} />
          </Option>
        );
      })}
    </div>
  );
}

function Calendar(
  props: IShared & { runs: readonly PipelineRun[] }
): JSX.Element {
  const weeks = weeksOf(props.runs, MOST_WEEKS);
  return (
    <div role="presentation" className="jp-MlopsHistory-calendar">
      {weeks[0]?.map(({ date }) => (
        <span
          key={date.getDay()}
          className="jp-MlopsHistory-weekday"
          aria-hidden="true"
        >
          {date.toLocaleDateString([], { weekday: 'short' })}
        </span>
      ))}
      {weeks.flat().map(({ date, runs }, index) => (
        <div
          key={date.getTime()}
          {...(runs.length > 0
            ? {
                role: 'group',
                'aria-label': date.toLocaleDateString([], { dateStyle: 'long' })
              }
            : { role: 'presentation' })}
          className="jp-MlopsHistory-day"
        >
          <span aria-hidden="true">
            {index === 0 || date.getDate() === 1
              ? date.toLocaleDateString([], { month: 'short', day: 'numeric' })
              : date.getDate()}
          </span>
          {runs.map(run => (
            <Option key={run.id} run={run} {...props}>
              <i />
            </Option>
          ))}
        </div>
      ))}
    </div>
  );
}

function Option(
  props: IShared & { run: PipelineRun; children: React.ReactNode }
): JSX.Element {
  const { run, selected, trans } = props;
  const words = spoken(run, trans);
  return (
    <span
      id={`${props.id}-${run.id}`}
      role="option"
      aria-selected={run.id === selected}
      aria-label={words}
      title={words}
      className={`jp-MlopsHistory-run ${PIPELINE_RUN_CLASS}`}
      data-run={run.id}
      data-state={run.state}
      onClick={() => props.onSelect(run.id)}
    >
      {props.children}
    </span>
  );
}

function spoken(run: PipelineRun, trans: TranslationBundle): string {
  const seconds = isRunOver(run.state) ? secondsOf(run, 0) : null;
  return [
    trans.__('Run %1', run.number),
    runWord(run, trans),
    fullTime(momentOf(run)),
    causeWord(run.cause, trans),
    seconds === null ? '' : formatDuration(seconds)
  ]
    .filter(part => part !== '')
    .join(', ');
}
