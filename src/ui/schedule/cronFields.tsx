import type { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';
import type { ScheduleRequest } from '../../api/schema';
import { Field } from '../field';
import { cronOf, type IPreset } from './cronPresets';
import { Preview, useCronCheck, type CronClient } from './nextTimes';

export interface ICronFieldsProps {
  value: ScheduleRequest;
  preset: IPreset;
  errors: Readonly<Record<string, string>>;
  client: CronClient;
  trans: TranslationBundle;
  onChange(change: Partial<ScheduleRequest>): void;
}

/** Days of the week from Monday on; the date is one that is known to be a Monday. */
const WEEKDAYS = [1, 2, 3, 4, 5, 6, 0].map((value, index) => ({
  value,
  label: new Date(Date.UTC(2024, 0, 1 + index)).toLocaleDateString([], {
    weekday: 'long',
    timeZone: 'UTC'
  })
}));

/** When it fires: time and day of a preset or a cron line, in a zone; in words, with the next times. */
export function CronFields(props: ICronFieldsProps): JSX.Element {
  const { value, preset, client, errors, trans } = props;
  const check = useCronCheck(client, value.cron, value.zone);
  const beside = (field: 'cron' | 'zone') =>
    check?.error && check.field === field ? check.error : errors[field];
  return (
    <>
      {preset.preset === 'custom' ? (
        <Field
          label={trans.__('Cron line')}
          error={beside('cron')}
          help={trans.__(
            'Minute, hour, day of the month, month, day of the week: 0 6 * * 1-5'
          )}
        >
          {input => (
            <input
              {...input}
              className="jp-mod-styled jp-MlopsAsk-code"
              spellCheck={false}
              value={value.cron}
              onChange={event => props.onChange({ cron: event.target.value })}
            />
          )}
        </Field>
      ) : (
        <PresetFields {...props} error={beside('cron')} />
      )}
      <ZoneField {...props} error={beside('zone')} />
      <Preview check={check} zone={value.zone} trans={trans} />
    </>
  );
}

function PresetFields(
  props: ICronFieldsProps & { error: string | undefined }
): JSX.Element {
  const { preset, error, trans } = props;
  const change = (part: Partial<IPreset>) =>
    props.onChange({ cron: cronOf({ ...preset, ...part }) });
  if (preset.preset === 'hour') {
    return (
      <Field label={trans.__('Minutes past')} error={error}>
        {input => (
          <input
            {...input}
            type="number"
            className="jp-mod-styled jp-MlopsAsk-number"
            min={0}
            max={59}
            value={Number(preset.time.split(':')[1])}
            onChange={event => {
              const minute = event.target.valueAsNumber;
              if (minute >= 0 && minute <= 59) {
                change({ time: `06:${String(minute).padStart(2, '0')}` });
              }
            }}
          />
        )}
      </Field>
    );
  }
  return (
    <>
      {preset.preset === 'week' && (
        <Field label={trans.__('On')}>
          {input => (
            <HTMLSelect
              {...input}
              className="jp-MlopsSelect"
              value={preset.weekday}
              options={WEEKDAYS}
              onChange={event =>
                change({ weekday: Number(event.target.value) })
              }
            />
          )}
        </Field>
      )}
      {preset.preset === 'month' && (
        <Field label={trans.__('On')}>
          {input => (
            <HTMLSelect
              {...input}
              className="jp-MlopsSelect"
              value={preset.day}
              options={[
                ...Array.from({ length: 28 }, (_, index) => ({
                  value: String(index + 1),
                  label: trans.__('day %1', index + 1)
                })),
                { value: 'L', label: trans.__('the last day') }
              ]}
              onChange={event => change({ day: event.target.value })}
            />
          )}
        </Field>
      )}
      <Field label={trans.__('At')} error={error}>
        {input => (
          <input
            {...input}
            type="time"
            className="jp-mod-styled jp-MlopsAsk-number"
            value={preset.time}
            onChange={event => {
              // empty while it is being typed
              if (event.target.value) {
                change({ time: event.target.value });
              }
            }}
          />
        )}
      </Field>
    </>
  );
}

/** A zone, found by typing a part of its name. */
function ZoneField(
  props: ICronFieldsProps & { error: string | undefined }
): JSX.Element {
  const { value, error, trans } = props;
  const list = React.useId();
  const zones = React.useMemo(
    () => [...new Set(['UTC', ...Intl.supportedValuesOf('timeZone')])],
    []
  );
  return (
    <Field label={trans.__('Time zone')} error={error}>
      {input => (
        <>
          <input
            {...input}
            className="jp-mod-styled"
            list={list}
            spellCheck={false}
            autoComplete="off"
            placeholder={trans.__('type a city or region')}
            value={value.zone}
            onChange={event => props.onChange({ zone: event.target.value })}
          />
          <datalist id={list}>
            {zones.map(zone => (
              <option key={zone} value={zone}>
                {zone.replaceAll('_', ' ')}
              </option>
            ))}
          </datalist>
        </>
      )}
    </Field>
  );
}
