import * as React from 'react';
import type { PipelineRunState, StepState } from '../api/schema';

const CIRCLE = 'M7 1.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 1 1 0-11Z';

/** Strokes in a square of 14; a shape for each state, so that colour is not all that tells them apart. */
const SHAPES: Record<PipelineRunState | StepState, string> = {
  queued: `${CIRCLE}M7 4v3.2l2 1.3`,
  waiting: `${CIRCLE}M7 4v3.2l2 1.3`,
  running: 'M4 2.5v9l7-4.5Z',
  succeeded: 'M2.5 7.5l3 3l6-7',
  reused: 'M11.5 5.5a5 5 0 1 0 .3 3M12 2.5v3.2h-3.2',
  failed: 'M3 3l8 8M11 3l-8 8',
  stopped: 'M3 3h8v8h-8Z',
  skipped: 'M2.5 3l4.5 4l-4.5 4M7.5 3l4.5 4l-4.5 4'
};

/** The sign of a state; its word stands beside it. */
export function StateIcon(props: {
  state: PipelineRunState | StepState;
}): JSX.Element {
  return (
    <svg
      className="jp-MlopsState"
      data-state={props.state}
      viewBox="0 0 14 14"
      width="14"
      height="14"
      aria-hidden="true"
    >
      <path d={SHAPES[props.state]} />
    </svg>
  );
}
