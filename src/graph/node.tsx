import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { StepRun } from '../api/schema';
import { formatDuration } from '../ui/format';
import {
  edgeWords,
  isStepOver,
  secondsOf,
  stepWord
} from '../ui/pipelineStates';
import { StateIcon } from '../ui/stateIcon';
import { useNow } from '../ui/useNow';
import { SIZES, type IPlacedStep } from './geometry';

export interface IStepNodeProps {
  id: string;
  placed: IPlacedStep;
  /** What became of it in the run shown; undefined where no run is. */
  run: StepRun | undefined;
  selected: boolean;
  trans: TranslationBundle;
  onSelect(name: string): void;
  onOpen(name: string): void;
}

/** One step of a graph. */
export const StepNode = React.memo(function StepNode(
  props: IStepNodeProps
): JSX.Element {
  const { placed, run, selected, trans } = props;
  const { step, x, y } = placed;
  const file = step.notebook.split('/').pop() ?? step.notebook;
  return (
    <div
      id={props.id}
      role="option"
      aria-selected={selected}
      className="jp-MlopsNode"
      data-step={step.name}
      data-state={run?.state}
      title={run?.message || step.notebook}
      style={{ left: x, top: y, width: SIZES.width, height: SIZES.height }}
      onClick={() => props.onSelect(step.name)}
      onDoubleClick={() => props.onOpen(step.name)}
    >
      <span className="jp-MlopsHidden">{spoken(props)}</span>
      <span className="jp-MlopsNode-name" aria-hidden="true">
        <span>{step.name}</span>
        {step.sweep && (
          <span className="jp-MlopsBadge">{trans.__('sweep')}</span>
        )}
      </span>
      <span className="jp-MlopsNode-notebook" aria-hidden="true">
        {file}
      </span>
      {run && (
        <span className="jp-MlopsNode-state" aria-hidden="true">
          <StateIcon state={run.state} />
          <span>{stepWord(run.state, trans)}</span>
          {run.attempt > 1 && (
            <span className="jp-MlopsBadge">
              {trans.__('try %1', run.attempt)}
            </span>
          )}
          <StepDuration run={run} />
        </span>
      )}
    </div>
  );
});

/** Ticks while the step runs. */
export function StepDuration(props: { run: StepRun }): JSX.Element | null {
  const { run } = props;
  const now = useNow(run.state === 'running');
  const seconds =
    run.state === 'reused' || run.state === 'waiting'
      ? null
      : secondsOf(run, now);
  return seconds === null ? null : (
    <span className="jp-MlopsNode-time">
      {formatDuration(seconds, isStepOver(run.state))}
    </span>
  );
}

/** All of it in one sentence, for who does not see the lines. */
function spoken(props: IStepNodeProps): string {
  const { placed, run, trans } = props;
  const { step } = placed;
  const condition = edgeWords(step, trans);
  return [
    step.name,
    step.sweep
      ? trans.__('sweep of %1', step.notebook)
      : trans.__('notebook %1', step.notebook),
    run ? stepWord(run.state, trans) : '',
    step.after.length > 0 ? trans.__('after %1', step.after.join(', ')) : '',
    condition ? trans.__('condition: %1', condition) : ''
  ]
    .filter(part => part !== '')
    .join(', ');
}
