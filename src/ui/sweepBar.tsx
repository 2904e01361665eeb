import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { Sweep } from '../api/schema';
import { finishedRuns } from '../model/states';

/** How far a sweep has got, by the states of its runs. */
export function SweepBar(props: {
  sweep: Sweep;
  trans: TranslationBundle;
}): JSX.Element {
  const { sweep, trans } = props;
  const done = finishedRuns(sweep);
  const part = (state: string) =>
    `${sweep.total > 0 ? ((sweep.counts[state] ?? 0) / sweep.total) * 100 : 0}%`;
  return (
    <span
      className="jp-MlopsBar"
      role="progressbar"
      aria-valuemin={0}
      aria-valuemax={sweep.total}
      aria-valuenow={done}
      aria-label={trans.__('%1 of %2 runs', done, sweep.total)}
    >
      {['succeeded', 'failed', 'stopped', 'pruned', 'running', 'starting'].map(
        state => (
          <span key={state} data-state={state} style={{ width: part(state) }} />
        )
      )}
    </span>
  );
}
