import type { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';
import type { Pipeline, ScheduleRequest } from '../../api/schema';
import { Field } from '../field';
import { CronFields } from './cronFields';
import { cronOf, MORNING, ownZone, presetOf, type Preset } from './cronPresets';
import type { CronClient } from './nextTimes';
import { Policies } from './policies';

export interface IScheduleFormProps {
  /** null: nothing fires it but a person. */
  value: ScheduleRequest | null;
  /** Sentences by field, of what was refused. */
  errors: Readonly<Record<string, string>>;
  client: CronClient;
  /** Those whose end may fire it. */
  pipelines: readonly Pipeline[];
  /** Of the pipeline, to be overridden; null where they are not known. */
  parameters: Readonly<Record<string, unknown>> | null;
  trans: TranslationBundle;
  /** What “by hand” is called; left out where it makes no sense. */
  byHand?: string;
  /** Whether kind and upstream stay as they are, because the trigger is there already. */
  fixed?: boolean;
  /** Whether nobody could be shown a token afterwards, so that calls are not offered. */
  silent?: boolean;
  /** Whether the policies are shown with it; else they are put elsewhere by `Policies`. */
  policies?: boolean;
  onChange(value: ScheduleRequest | null): void;
}

type Choice = Preset | 'files' | 'pipeline' | 'http' | 'hand';

/** A schedule as it is before a person says anything: every morning, in the browser's zone. */
export function newSchedule(): ScheduleRequest {
  return {
    kind: 'cron',
    cron: cronOf(MORNING),
    zone: ownZone(),
    pattern: '',
    upstream: '',
    on: 'succeeded',
    overlap: 'queue',
    missed: 'one',
    grace: 86_400,
    parameters: {},
    enabled: true
  };
}

/** What fires a pipeline: a preset, a cron line, new files, another pipeline, a call. */
export function ScheduleForm(props: IScheduleFormProps): JSX.Element {
  const { value, errors, trans } = props;
  // what was said comes back when a person comes back from “by hand”
  const last = React.useRef(value ?? newSchedule());
  if (value) {
    last.current = value;
  }
  const [custom, setCustom] = React.useState(
    value?.kind === 'cron' && presetOf(value.cron).preset === 'custom'
  );
  const preset = presetOf(last.current.cron);
  if (custom) {
    preset.preset = 'custom';
  }
  const choice: Choice =
    value === null
      ? 'hand'
      : value.kind === 'cron'
        ? preset.preset
        : value.kind;
  const change = (part: Partial<ScheduleRequest>) =>
    props.onChange({ ...last.current, ...part });
  const choose = (chosen: Choice) => {
    setCustom(chosen === 'custom');
    switch (chosen) {
      case 'hand':
        props.onChange(null);
        break;
      case 'files':
      case 'pipeline':
      case 'http':
        change({ kind: chosen });
        break;
      case 'custom':
        change({ kind: 'cron' });
        break;
      default: {
        const before = preset.preset === 'custom' ? MORNING : preset;
        // an hourly one begins with the hour
        const time = chosen === 'hour' ? '06:00' : before.time;
        change({
          kind: 'cron',
          cron: cronOf({ ...before, time, preset: chosen })
        });
      }
    }
  };
  return (
    <div className="jp-MlopsAsk">
      <Field label={trans.__('When')} error={errors['kind']}>
        {input => (
          <HTMLSelect
            {...input}
            className="jp-MlopsSelect"
            value={choice}
            options={choicesOf(props, choice)}
            onChange={event => choose(event.target.value as Choice)}
          />
        )}
      </Field>
      {value?.kind === 'cron' && (
        <CronFields
          {...props}
          value={value}
          preset={preset}
          onChange={change}
        />
      )}
      {value && value.kind !== 'cron' && (
        <OtherFields {...props} value={value} onChange={change} />
      )}
      {value && props.policies && (
        <Policies {...props} value={value} onChange={change} />
      )}
    </div>
  );
}

function choicesOf(
  props: IScheduleFormProps,
  choice: Choice
): { value: Choice; label: string }[] {
  const { trans, byHand, fixed, silent, pipelines } = props;
  const times: [Choice, string][] = [
    ['hour', trans.__('every hour')],
    ['day', trans.__('every day')],
    ['weekdays', trans.__('every weekday')],
    ['week', trans.__('every week')],
    ['month', trans.__('every month')],
    ['custom', trans.__('by a cron line…')]
  ];
  const others: [Choice, string][] = [
    ['files', trans.__('when new files appear')],
    ['pipeline', trans.__('after another pipeline')],
    ['http', trans.__('when something calls')]
  ];
  const timed = times.some(([value]) => value === choice);
  const offered: [Choice, string][] = fixed
    ? timed
      ? times
      : others.filter(([value]) => value === choice)
    : [
        ...times,
        ...others.filter(
          ([value]) =>
            (value !== 'pipeline' || pipelines.length > 0) &&
            (value !== 'http' || !silent)
        ),
        ...(byHand ? ([['hand', byHand]] as [Choice, string][]) : [])
      ];
  return offered.map(([value, label]) => ({ value, label }));
}

function OtherFields(
  props: Omit<IScheduleFormProps, 'value' | 'onChange'> & {
    value: ScheduleRequest;
    onChange(change: Partial<ScheduleRequest>): void;
  }
): JSX.Element {
  const { value, errors, fixed, pipelines, trans, onChange } = props;
  if (value.kind === 'http') {
    return (
      <p className="jp-MlopsAsk-help">
        {trans.__(
          'It gets an address and a token, which is shown once. Whoever calls the address with the token starts a run.'
        )}
      </p>
    );
  }
  if (value.kind === 'files') {
    return (
      <Field
        label={trans.__('Files')}
        error={errors['pattern']}
        help={trans.__(
          'A pattern such as data/*.csv, or an address such as s3://bucket/in/*.parquet. Files that appear together start one run.'
        )}
      >
        {input => (
          <input
            {...input}
            className="jp-mod-styled jp-MlopsAsk-code"
            spellCheck={false}
            placeholder={trans.__('data/*.csv')}
            value={value.pattern}
            onChange={event => onChange({ pattern: event.target.value })}
          />
        )}
      </Field>
    );
  }
  return (
    <>
      <Field label={trans.__('After')} error={errors['upstream']}>
        {input => (
          <HTMLSelect
            {...input}
            className="jp-MlopsSelect"
            disabled={fixed}
            value={value.upstream}
            options={[
              { value: '', label: trans.__('choose a pipeline…') },
              ...pipelines.map(({ id, name }) => ({ value: id, label: name }))
            ]}
            onChange={event => onChange({ upstream: event.target.value })}
          />
        )}
      </Field>
      <Field label={trans.__('If it')} error={errors['on']}>
        {input => (
          <HTMLSelect
            {...input}
            className="jp-MlopsSelect"
            disabled={fixed}
            value={value.on}
            options={[
              { value: 'succeeded', label: trans.__('succeeded') },
              { value: 'failed', label: trans.__('failed') },
              { value: 'ended', label: trans.__('ended in any way') }
            ]}
            onChange={event =>
              onChange({ on: event.target.value as ScheduleRequest['on'] })
            }
          />
        )}
      </Field>
    </>
  );
}
