import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { RunSummary, Sweep } from '../../api/schema';
import { CommandIDs, SWEEP_CLASS } from '../../model/commandIds';
import { finishedRuns, isOver } from '../../model/states';
import { CommandButton } from '../../ui/commandButton';
import {
  formatCount,
  formatDuration,
  formatNumber,
  roughly,
  fullTime
} from '../../ui/format';
import { SweepBar } from '../../ui/sweepBar';
import { useNow } from '../../ui/useNow';
import type { IPageActions } from './sweepActions';
import { Note } from './sweepNote';
import { sweepWord } from './sweepStates';
import { timeLeft } from './timing';

export interface IHeaderProps {
  sweep: Sweep;
  runs: readonly RunSummary[];
  actions: IPageActions;
  trans: TranslationBundle;
}

/** How a sweep stands in one line, what can be done about it, and what to know of it. */
export function Header(props: IHeaderProps): JSX.Element {
  const { sweep, actions, trans } = props;
  const stem = sweep.path.split('/').pop() ?? sweep.path;
  const button = (command: string, label: string) => (
    <CommandButton
      command={command}
      args={{ id: sweep.id }}
      commands={actions.commands}
      label={label}
    />
  );
  return (
    <div className={`jp-MlopsHead ${SWEEP_CLASS}`}>
      <h1 className="jp-MlopsHidden">{sweep.name}</h1>
      <div className="jp-MlopsHead-line">
        <span className="jp-MlopsHead-state" data-state={sweep.state}>
          <span
            className="jp-MlopsDot"
            data-state={sweep.state}
            aria-hidden="true"
          />
          {sweepWord(sweep, trans)}
        </span>
        <Progress {...props} />
        <Best {...props} />
        <span className="jp-MlopsHead-tools">
          {/* a paused one has it beside the reason */}
          {sweep.state !== 'paused' &&
            button(CommandIDs.resumeSweep, trans.__('Resume'))}
          {button(CommandIDs.pauseSweep, trans.__('Pause'))}
          {button(CommandIDs.stopSweep, trans.__('Stop'))}
          {sweep.best_run_id && isOver(sweep.state) && !sweep.pipeline_run && (
            <button
              type="button"
              className="jp-MlopsTool"
              title={trans.__('Let its best run go by itself, on time')}
              onClick={() =>
                actions.execute(CommandIDs.promote, { sweepId: sweep.id })
              }
            >
              {trans.__('Promote best')}
            </button>
          )}
          {sweep.mlflow_experiment_id && (
            <button
              type="button"
              className="jp-MlopsTool"
              title={trans.__(
                'Open this sweep’s runs and their charts in MLflow'
              )}
              onClick={() =>
                actions.execute(CommandIDs.openMlflow, {
                  experimentId: sweep.mlflow_experiment_id,
                  parentId: sweep.mlflow_run_id,
                  metric: sweep.objective?.metric ?? '',
                  direction: sweep.objective?.direction ?? ''
                })
              }
            >
              {trans.__('MLflow')}
            </button>
          )}
          <button
            type="button"
            className="jp-MlopsLink jp-MlopsHead-notebook"
            title={trans.__('Open %1', sweep.path)}
            onClick={() =>
              actions.execute('docmanager:open', { path: sweep.path })
            }
          >
            {stem}
          </button>
        </span>
      </div>
      <Note {...props} />
    </div>
  );
}

function Progress(props: IHeaderProps): JSX.Element {
  const { sweep, trans } = props;
  const done = finishedRuns(sweep);
  const { failed = 0, stopped = 0 } = sweep.counts;
  return (
    <span className="jp-MlopsHead-progress">
      <SweepBar sweep={sweep} trans={trans} />
      <span className="jp-MlopsHead-count">
        {formatCount(done)}/{formatCount(sweep.total)}
      </span>
      {failed > 0 && (
        <span className="jp-MlopsHead-failed">
          {trans.__('%1 failed', formatCount(failed))}
        </span>
      )}
      {stopped > 0 && (
        <span className="jp-MlopsHead-time">
          {trans.__('%1 stopped', formatCount(stopped))}
        </span>
      )}
      <Time {...props} />
    </span>
  );
}

/** Time left while it is known, time taken at the end. */
function Time(props: IHeaderProps): JSX.Element | null {
  const { sweep, runs, trans } = props;
  const now = useNow(sweep.state === 'running');
  if (isOver(sweep.state)) {
    if (!sweep.started_at || !sweep.ended_at) {
      return null;
    }
    const took = Date.parse(sweep.ended_at) - Date.parse(sweep.started_at);
    return (
      <span className="jp-MlopsHead-time" title={fullTime(sweep.ended_at)}>
        {trans.__('in %1', formatDuration(took / 1000))}
      </span>
    );
  }
  const left = timeLeft(sweep, runs, now);
  return left === null ? null : (
    <span className="jp-MlopsHead-time">
      {trans.__('about %1 left', roughly(left))}
    </span>
  );
}

function Best(props: IHeaderProps): JSX.Element | null {
  const { sweep, actions, trans } = props;
  const { best_run_id: id, best_value: value, objective } = sweep;
  if (!objective || value === null || !id) {
    return null;
  }
  return (
    <button
      type="button"
      className="jp-MlopsHead-best"
      title={trans.__(
        'The best %1 so far; open the notebook of that run',
        objective.metric
      )}
      onClick={() =>
        actions.execute(CommandIDs.openRun, { id, sweepId: sweep.id })
      }
    >
      <span aria-hidden="true">★</span> {objective.metric}{' '}
      <strong>{formatNumber(value)}</strong>
    </button>
  );
}
