import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { Pipeline, PipelineDetails, Trigger } from '../../api/schema';
import { CommandIDs } from '../../model/commandIds';
import { CommandButton } from '../../ui/commandButton';
import { fullTime, valueText } from '../../ui/format';
import { useNow } from '../../ui/useNow';
import type { IPipelineActions } from './pipelineActions';
import { useCron } from './queries';
import {
  missedWords,
  overlapWords,
  triggerWords,
  whenWords
} from './triggerDescriptions';

export interface IScheduleProps {
  details: PipelineDetails;
  /** All there are, for the names of those that fire this one. */
  pipelines: readonly Pipeline[];
  actions: IPipelineActions;
  trans: TranslationBundle;
}

/** What fires the pipeline, and when. */
export function Schedule(props: IScheduleProps): JSX.Element {
  const { details, actions, trans } = props;
  const { pipeline, triggers } = details;
  return (
    <div className="jp-MlopsDetails jp-MlopsSchedule" tabIndex={0}>
      <div className="jp-MlopsDetails-tools">
        <CommandButton
          command={CommandIDs.schedulePipeline}
          args={{ id: pipeline.id }}
          commands={actions.commands}
          label={trans.__('Add a Schedule or Trigger…')}
          primary={triggers.length === 0}
        />
        {triggers.some(({ kind }) => kind === 'cron') && (
          <CommandButton
            command={CommandIDs.backfillPipeline}
            args={{ id: pipeline.id }}
            commands={actions.commands}
            label={trans.__('Backfill…')}
          />
        )}
      </div>
      {triggers.length === 0 ? (
        <p className="jp-MlopsHint">
          {trans.__(
            'Nothing fires it by itself: it runs when somebody says so. Add a schedule, files to wait for, another pipeline’s end, or a call from elsewhere.'
          )}
        </p>
      ) : (
        <ul className="jp-MlopsTriggers">
          {triggers.map(trigger => (
            <TriggerItem key={trigger.id} trigger={trigger} {...props} />
          ))}
        </ul>
      )}
    </div>
  );
}

function TriggerItem(
  props: IScheduleProps & { trigger: Trigger }
): JSX.Element {
  const { trigger, details, pipelines, actions, trans } = props;
  const cron = useCron(trigger, actions.client);
  const upstream =
    pipelines.find(({ id }) => id === trigger.upstream)?.name ??
    trigger.upstream;
  const words = triggerWords(trigger, cron?.words ?? '', upstream, trans);
  const args = { id: details.pipeline.id, trigger: trigger.id };
  const button = (command: string, label: string) => (
    <CommandButton
      command={command}
      args={args}
      commands={actions.commands}
      label={label}
    />
  );
  return (
    <li
      className="jp-MlopsTrigger"
      data-trigger={trigger.id}
      data-enabled={trigger.enabled}
      aria-label={words}
    >
      <div className="jp-MlopsTrigger-head">
        <h2>{words}</h2>
        {!trigger.enabled && (
          <span className="jp-MlopsBadge">{trans.__('paused')}</span>
        )}
        <span className="jp-MlopsHead-tools">
          {button(CommandIDs.schedulePipeline, trans.__('Change…'))}
          {trigger.enabled
            ? button(CommandIDs.pauseTrigger, trans.__('Pause'))
            : button(CommandIDs.resumeTrigger, trans.__('Resume'))}
          {button(CommandIDs.removeTrigger, trans.__('Remove'))}
        </span>
      </div>
      {trigger.message && (
        <div className="jp-MlopsProblem jp-mod-warning" role="status">
          {trigger.message}
        </div>
      )}
      <Small trigger={trigger} trans={trans} />
      {trigger.kind === 'http' && (
        <code className="jp-MlopsTrigger-address">
          POST {actions.client.triggerAddress(trigger.id)}
        </code>
      )}
      {trigger.enabled && !details.pipeline.paused && (
        <Next times={cron?.next ?? []} trigger={trigger} trans={trans} />
      )}
    </li>
  );
}

/** What becomes of times that collide or pass, and what it fires with. */
function Small(props: {
  trigger: Trigger;
  trans: TranslationBundle;
}): JSX.Element {
  const { trigger, trans } = props;
  const parameters = Object.entries(trigger.parameters)
    .map(([name, value]) => `${name} = ${valueText(value)}`)
    .join(', ');
  return (
    <p className="jp-MlopsHint">
      {[
        trigger.kind === 'cron' ? `${trigger.cron} · ${trigger.zone}` : '',
        overlapWords(trigger.overlap, trans),
        trigger.kind === 'cron' ? missedWords(trigger.missed, trans) : '',
        parameters ? trans.__('with %1', parameters) : '',
        trigger.last_at
          ? trans.__('last fired for %1', fullTime(trigger.last_at))
          : ''
      ]
        .filter(part => part !== '')
        .join(' · ')}
    </p>
  );
}

function Next(props: {
  times: readonly string[];
  trigger: Trigger;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { trigger, trans } = props;
  const now = useNow(false);
  const times = props.times.length > 0 ? props.times : [trigger.next_at ?? ''];
  const shown = times.filter(time => time !== '');
  if (shown.length === 0 || trigger.kind === 'files') {
    return null;
  }
  return (
    <ol className="jp-MlopsTrigger-next" aria-label={trans.__('Next times')}>
      {shown.map(time => (
        <li key={time} title={fullTime(time)}>
          {whenWords(
            time,
            now,
            trans,
            trigger.kind === 'cron' ? trigger.zone : undefined
          )}
        </li>
      ))}
    </ol>
  );
}
