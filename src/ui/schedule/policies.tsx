import type { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';
import type { ScheduleRequest } from '../../api/schema';
import { Field } from '../field';
import { ParameterFields } from '../parameterFields';

export interface IPoliciesProps {
  value: ScheduleRequest;
  /** Of the pipeline, with their values where nothing overrides them; null where they are not known. */
  parameters: Readonly<Record<string, unknown>> | null;
  errors: Readonly<Record<string, string>>;
  trans: TranslationBundle;
  onChange(change: Partial<ScheduleRequest>): void;
}

const HOUR = 3600;

/** What becomes of fires that meet a run or were missed, and parameters of its own. */
export function Policies(props: IPoliciesProps): JSX.Element {
  const { value, errors, trans, onChange } = props;
  return (
    <>
      <Field label={trans.__('While it still runs')} error={errors['overlap']}>
        {input => (
          <HTMLSelect
            {...input}
            className="jp-MlopsSelect"
            value={value.overlap}
            options={[
              { value: 'queue', label: trans.__('the next run waits') },
              { value: 'skip', label: trans.__('the next run is skipped') },
              {
                value: 'replace',
                label: trans.__('the running one is stopped')
              }
            ]}
            onChange={event =>
              onChange({
                overlap: event.target.value as ScheduleRequest['overlap']
              })
            }
          />
        )}
      </Field>
      {value.kind === 'cron' && (
        <Field
          label={trans.__('Times missed')}
          error={errors['missed']}
          help={trans.__('While the machine was off, for instance.')}
        >
          {input => (
            <HTMLSelect
              {...input}
              className="jp-MlopsSelect"
              value={value.missed}
              options={[
                { value: 'one', label: trans.__('run the last of them') },
                { value: 'all', label: trans.__('run all of them') },
                { value: 'skip', label: trans.__('are let go') }
              ]}
              onChange={event =>
                onChange({
                  missed: event.target.value as ScheduleRequest['missed']
                })
              }
            />
          )}
        </Field>
      )}
      {value.kind === 'cron' && value.missed !== 'skip' && (
        <Field label={trans.__('Within hours')} error={errors['grace']}>
          {input => (
            <input
              {...input}
              type="number"
              className="jp-mod-styled jp-MlopsAsk-number"
              min={0}
              step="any"
              value={value.grace / HOUR}
              onChange={event => {
                const hours = event.target.valueAsNumber;
                if (hours >= 0) {
                  onChange({ grace: hours * HOUR });
                }
              }}
            />
          )}
        </Field>
      )}
      <Overrides {...props} />
    </>
  );
}

/** Values that differ from the pipeline's where this fires it. */
function Overrides(props: IPoliciesProps): JSX.Element | null {
  const { value, parameters, trans } = props;
  const names = [
    ...new Set([
      ...Object.keys(parameters ?? {}),
      ...Object.keys(value.parameters)
    ])
  ];
  if (names.length === 0) {
    return null;
  }
  return (
    <fieldset className="jp-MlopsAsk-group">
      <legend>{trans.__('Parameters of its own')}</legend>
      <ParameterFields
        names={names}
        defaults={parameters ?? {}}
        values={value.parameters}
        error={props.errors['parameters']}
        onChange={values => props.onChange({ parameters: values })}
      />
    </fieldset>
  );
}
