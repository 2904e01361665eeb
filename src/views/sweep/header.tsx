import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { Run, Sweep } from '../../api/schema';
import { formatBytes, formatCount, formatNumber } from '../../format';
import { CommandIDs, finishedRuns, isOver } from '../../tokens';
import { CommandButton, type IPageActions } from './parts';
import { useNow } from './row';
import { formatDuration, roughly, timeLeft } from './timing';
import { fullTime, sweepWord } from './words';

export interface IHeaderProps {
  sweep: Sweep;
  runs: readonly Run[];
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
    <div className="jp-MlopsHead">
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
          {button(CommandIDs.resumeSweep, trans.__('Resume'))}
          {button(CommandIDs.pauseSweep, trans.__('Pause'))}
          {button(CommandIDs.stopSweep, trans.__('Stop'))}
          {sweep.mlflow_experiment_id && (
            <button
              type="button"
              className="jp-MlopsTool"
              title={trans.__('Open this sweep in MLflow')}
              onClick={() =>
                actions.execute(CommandIDs.openMlflow, {
                  experimentId: sweep.mlflow_experiment_id,
                  runId: sweep.mlflow_run_id
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
  const failed = sweep.counts['failed'] ?? 0;
  const part = (state: string) =>
    `${sweep.total > 0 ? ((sweep.counts[state] ?? 0) / sweep.total) * 100 : 0}%`;
  return (
    <span className="jp-MlopsHead-progress">
      <span
        className="jp-MlopsBar"
        role="progressbar"
        aria-valuemin={0}
        aria-valuemax={sweep.total}
        aria-valuenow={done}
        aria-label={trans.__('%1 of %2 runs', done, sweep.total)}
      >
        {['succeeded', 'failed', 'stopped', 'running', 'starting'].map(
          state => (
            <span
              key={state}
              data-state={state}
              style={{ width: part(state) }}
            />
          )
        )}
      </span>
      <span className="jp-MlopsHead-count">
        {formatCount(done)}/{formatCount(sweep.total)}
      </span>
      {failed > 0 && (
        <span className="jp-MlopsHead-failed">
          {trans.__('%1 failed', formatCount(failed))}
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

/** Why it stands as it does, with the way on beside it; else what its runs take. */
function Note(props: IHeaderProps): JSX.Element | null {
  const { sweep, actions, trans } = props;
  const act = (command: string, label?: string) => (
    <CommandButton
      command={command}
      args={{ id: sweep.id }}
      commands={actions.commands}
      primary={true}
      {...(label && { label })}
    />
  );
  if (sweep.deleted_at) {
    return (
      <Line severity="warning">
        {trans.__(
          'This sweep is deleted. It can be restored for 30 days after %1.',
          fullTime(sweep.deleted_at)
        )}
        {act(CommandIDs.restoreSweep, trans.__('Restore'))}
      </Line>
    );
  }
  switch (sweep.state) {
    case 'paused':
      return (
        <Line severity="warning">
          {sweep.message || trans.__('Paused.')}
          {act(CommandIDs.resumeSweep, trans.__('Resume'))}
        </Line>
      );
    case 'failed':
      return (
        <Line severity="error">
          {failedSentence(sweep, trans)}
          {act(CommandIDs.retrySweep)}
        </Line>
      );
    case 'stopped':
      return (
        <Line severity="plain">
          {stoppedSentence(sweep, trans)}
          {act(CommandIDs.retrySweep, trans.__('Go On'))}
        </Line>
      );
    case 'queued':
      return (
        <Line severity="plain">
          {trans.__(
            'Waiting for the service. It starts by itself, in a few seconds the first time.'
          )}
        </Line>
      );
    case 'starting':
      return (
        <Line severity="plain">
          {sweep.message || trans.__('Starting workers on %1.', sweep.target)}
        </Line>
      );
    case 'running':
    case 'stopping':
    case 'succeeded':
      return <Cost {...props} />;
  }
}

/** What the first run showed; while it goes alone, why. */
function Cost(props: IHeaderProps): JSX.Element | null {
  const { sweep, trans } = props;
  const { run_seconds: seconds, run_memory: memory } = sweep;
  const parts: string[] = [];
  if (seconds !== null) {
    parts.push(
      memory !== null
        ? trans.__(
            'A run takes %1 and %2.',
            formatDuration(seconds),
            formatBytes(memory)
          )
        : trans.__('A run takes %1.', formatDuration(seconds))
    );
  }
  if (sweep.state === 'running') {
    if (!sweep.confirmed) {
      parts.push(
        trans.__(
          'The first run goes alone: it shows which metrics there are, how long a run takes and what memory it needs.'
        )
      );
    } else if (seconds !== null && sweep.slots_open > 0) {
      parts.push(
        trans._n('%1 goes at a time.', '%1 go at a time.', sweep.slots_open)
      );
    }
  }
  if (sweep.message) {
    parts.push(sweep.message);
  }
  return parts.length > 0 ? (
    <Line severity="plain">{parts.join(' ')}</Line>
  ) : null;
}

function failedSentence(sweep: Sweep, trans: TranslationBundle): string {
  const { failed = 0, stopped = 0 } = sweep.counts;
  if (failed > 0) {
    return trans._n(
      '%1 run of %2 failed; select it to see why.',
      '%1 runs of %2 failed; select one to see why.',
      failed,
      formatCount(sweep.total)
    );
  }
  return stopped > 0
    ? trans._n(
        '%1 run was stopped before it was done.',
        '%1 runs were stopped before they were done.',
        stopped
      )
    : sweep.message || trans.__('It could not go on.');
}

function stoppedSentence(sweep: Sweep, trans: TranslationBundle): string {
  const left = sweep.total - (sweep.counts['succeeded'] ?? 0);
  return trans._n(
    'Stopped. %1 run was not finished.',
    'Stopped. %1 runs were not finished.',
    left
  );
}

function Line(props: {
  severity: 'plain' | 'warning' | 'error';
  children: React.ReactNode;
}): JSX.Element {
  return (
    <div
      className="jp-MlopsHead-note"
      data-severity={props.severity}
      role="status"
    >
      {props.children}
    </div>
  );
}
