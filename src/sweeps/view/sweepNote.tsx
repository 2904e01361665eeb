import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { RunSummary, Sweep } from '../../api/schema';
import { CommandIDs } from '../../model/commandIds';
import { CommandButton } from '../../ui/commandButton';
import {
  formatBytes,
  formatCount,
  formatDuration,
  fullTime
} from '../../ui/format';
import type { IPageActions } from './sweepActions';
import { sharedSentence } from './sweepStates';

export interface INoteProps {
  sweep: Sweep;
  runs: readonly RunSummary[];
  actions: IPageActions;
  trans: TranslationBundle;
}

/** Why it stands as it does, with the way on beside it; else what its runs take. */
export function Note(props: INoteProps): JSX.Element | null {
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

/** What the first run showed; while it goes alone, why; what the runs share. */
function Cost(props: INoteProps): JSX.Element | null {
  const { sweep, runs, trans } = props;
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
  const shared = sharedSentence(sweep, runs, trans);
  if (shared) {
    parts.push(shared);
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
  const { succeeded = 0, failed = 0 } = sweep.counts;
  const left = sweep.total - succeeded - failed;
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
