import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { PipelineRunDetails } from '../../api/schema';
import { formatSpan } from '../../ui/format';
import { isRunOver, stepWord } from '../../ui/pipelineStates';
import { StateIcon } from '../../ui/stateIcon';
import { useNow } from '../../ui/useNow';
import { timesOf, type IRow, type ISpan, type ITimes } from './ganttSpans';
import type { Attempts } from './pipelineActions';
import { ticks } from './timeTicks';

export interface IGanttProps {
  details: PipelineRunDetails;
  attempts: Attempts;
  selected: string | null;
  trans: TranslationBundle;
  onSelect(name: string): void;
  onOpen(name: string): void;
}

/** The steps of a run over time: what waited, what ran, what was tried again. */
export function Gantt(props: IGanttProps): JSX.Element {
  const { details, selected, trans, onSelect, onOpen } = props;
  const now = useNow(!isRunOver(details.run.state));
  const times = timesOf(details, props.attempts, now);
  const id = React.useId();
  const names = times.rows.map(({ name }) => name);
  const onKeyDown = (event: React.KeyboardEvent) => {
    const at = selected === null ? -1 : names.indexOf(selected);
    const next = {
      ArrowDown: Math.min(at + 1, names.length - 1),
      ArrowUp: Math.max(at - 1, 0),
      Home: 0,
      End: names.length - 1
    }[event.key];
    if (next !== undefined && names[next] !== undefined) {
      onSelect(names[next]);
    } else if (event.key === 'Enter' && selected !== null) {
      onOpen(selected);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  const axis = ticks((times.end - times.start) / 1000, 9);
  return (
    <div className="jp-MlopsGantt">
      <div className="jp-MlopsGantt-axis" aria-hidden="true">
        {axis.map(({ at, label }) => (
          <span
            key={at}
            style={{ left: percent(times.start + at * 1000, times) }}
          >
            {label}
          </span>
        ))}
      </div>
      <div
        className="jp-MlopsGantt-rows"
        role="listbox"
        tabIndex={0}
        aria-label={trans.__('Steps over time')}
        {...(selected !== null && {
          'aria-activedescendant': `${id}-${selected}`
        })}
        onKeyDown={onKeyDown}
      >
        {times.rows.map(row => (
          <Row
            key={row.name}
            id={`${id}-${row.name}`}
            row={row}
            times={times}
            lines={axis.map(({ at }) =>
              percent(times.start + at * 1000, times)
            )}
            selected={row.name === selected}
            trans={trans}
            onSelect={onSelect}
            onOpen={onOpen}
          />
        ))}
      </div>
    </div>
  );
}

function Row(props: {
  id: string;
  row: IRow;
  times: ITimes;
  lines: readonly string[];
  selected: boolean;
  trans: TranslationBundle;
  onSelect(name: string): void;
  onOpen(name: string): void;
}): JSX.Element {
  const { row, times, trans } = props;
  const state = row.run?.state ?? 'waiting';
  const said = row.spans.map(span => spanWords(span, trans));
  return (
    <div
      id={props.id}
      role="option"
      aria-selected={props.selected}
      className="jp-MlopsGantt-row"
      data-step={row.name}
      data-state={state}
      onClick={() => props.onSelect(row.name)}
      onDoubleClick={() => props.onOpen(row.name)}
    >
      <span className="jp-MlopsHidden">
        {[row.name, stepWord(state, trans), ...said].join(', ')}
      </span>
      <span className="jp-MlopsGantt-name" aria-hidden="true">
        <StateIcon state={state} />
        <span>{row.name}</span>
      </span>
      <span className="jp-MlopsGantt-track" aria-hidden="true">
        {props.lines.map(left => (
          <i key={left} style={{ left }} />
        ))}
        {row.spans.map((span, index) => (
          <Span key={index} span={span} times={times} title={said[index]!} />
        ))}
      </span>
    </div>
  );
}

function Span(props: {
  span: ISpan;
  times: ITimes;
  title: string;
}): JSX.Element {
  const { span, times, title } = props;
  const seconds = (span.end - span.start) / 1000;
  const part = (span.end - span.start) / (times.end - times.start);
  return (
    <span
      className="jp-MlopsGantt-span"
      data-kind={span.kind}
      data-state={span.state}
      title={title}
      style={{
        left: percent(span.start, times),
        width: `${(part * 100).toFixed(3)}%`
      }}
    >
      {span.kind === 'try' && part > 0.08 && <span>{formatSpan(seconds)}</span>}
    </span>
  );
}

function spanWords(span: ISpan, trans: TranslationBundle): string {
  const time = formatSpan((span.end - span.start) / 1000);
  switch (span.kind) {
    case 'wait':
      return trans.__('waited %1', time);
    case 'mark':
      return stepWord(span.state, trans);
    case 'try':
      return span.attempt > 1
        ? trans.__(
            'try %1: %2 in %3',
            span.attempt,
            stepWord(span.state, trans),
            time
          )
        : trans.__('%1 in %2', stepWord(span.state, trans), time);
  }
}

function percent(at: number, { start, end }: ITimes): string {
  return `${(((at - start) / (end - start)) * 100).toFixed(3)}%`;
}
