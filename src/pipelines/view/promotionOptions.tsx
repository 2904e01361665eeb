import type { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';
import type { Alerts } from '../../api/schema';
import { Field } from '../../ui/field';
import { Policies } from '../../ui/schedule/policies';
import type { IPromotion } from './promotion';

interface IFieldsProps {
  said: IPromotion;
  errors: Readonly<Record<string, string>>;
  trans: TranslationBundle;
  onChange(change: Partial<IPromotion>): void;
}

export interface IMoreProps extends IFieldsProps {
  /** Whether a pipeline file is promoted, which says most of it itself. */
  isFile: boolean;
}

/** Fields of this part, so that what is wrong in it is not hidden. */
export const MORE_FIELDS = [
  'note',
  'retries',
  'timeout',
  'environment',
  'outputs',
  'to',
  'on',
  'runs',
  'days',
  'overlap',
  'missed',
  'grace'
] as const;

/** All that has a sensible value if nobody says anything. */
export function More(props: IMoreProps): JSX.Element {
  const { said, isFile, errors, trans, onChange } = props;
  return (
    <>
      <Field label={trans.__('Note')} error={errors['note']}>
        {input => (
          <input
            {...input}
            className="jp-mod-styled"
            placeholder={trans.__('what is new in this version')}
            value={said.note}
            onChange={event => onChange({ note: event.target.value })}
          />
        )}
      </Field>
      {said.schedule && (
        <Policies
          value={said.schedule}
          parameters={null}
          errors={errors}
          trans={trans}
          onChange={change =>
            said.schedule &&
            onChange({ schedule: { ...said.schedule, ...change } })
          }
        />
      )}
      {isFile ? (
        <p className="jp-MlopsAsk-help">
          {trans.__(
            'Retries, limits, alerts and what is kept are said in the pipeline’s file.'
          )}
        </p>
      ) : (
        <>
          <Execution {...props} />
          <AlertFields {...props} />
          <RetentionFields {...props} />
        </>
      )}
    </>
  );
}

/** A whole or broken number; null where it is left empty. */
function NumberField(props: {
  label: string;
  value: number | null;
  error: string | undefined;
  placeholder?: string;
  help?: string;
  whole?: boolean;
  onChange(value: number | null): void;
}): JSX.Element {
  const { label, value, error, placeholder, help, whole } = props;
  return (
    <Field label={label} error={error} {...(help && { help })}>
      {input => (
        <input
          {...input}
          type="number"
          className="jp-mod-styled jp-MlopsAsk-number"
          min={0}
          step={whole ? 1 : 'any'}
          placeholder={placeholder}
          value={value ?? ''}
          onChange={event => {
            const number = event.target.valueAsNumber;
            props.onChange(number >= 0 ? number : null);
          }}
        />
      )}
    </Field>
  );
}

function Execution(props: IFieldsProps): JSX.Element {
  const { said, errors, trans, onChange } = props;
  return (
    <>
      <NumberField
        label={trans.__('Retries')}
        value={said.retries}
        error={errors['retries']}
        whole
        onChange={retries => onChange({ retries: retries ?? 0 })}
      />
      <NumberField
        label={trans.__('Minutes at most')}
        value={said.timeout}
        error={errors['timeout']}
        placeholder={trans.__('no limit')}
        onChange={timeout => onChange({ timeout })}
      />
      <Field
        label={trans.__('If packages changed')}
        error={errors['environment']}
      >
        {input => (
          <HTMLSelect
            {...input}
            className="jp-MlopsSelect"
            value={said.environment}
            options={[
              { value: 'warn', label: trans.__('run, and say so') },
              { value: 'refuse', label: trans.__('do not run') },
              { value: 'ignore', label: trans.__('run') }
            ]}
            onChange={event =>
              onChange({
                environment: event.target.value as IPromotion['environment']
              })
            }
          />
        )}
      </Field>
      <Field
        label={trans.__('Outputs')}
        error={errors['outputs']}
        help={trans.__('Variables to hand on, such as: auc, rows')}
      >
        {input => (
          <input
            {...input}
            className="jp-mod-styled jp-MlopsAsk-code"
            spellCheck={false}
            value={said.outputs}
            onChange={event => onChange({ outputs: event.target.value })}
          />
        )}
      </Field>
    </>
  );
}

/** Who is told of what. */
export function AlertFields(props: IFieldsProps): JSX.Element {
  const { said, errors, trans, onChange } = props;
  const kinds: [Alerts['on'][number], string][] = [
    ['failure', trans.__('failure')],
    ['recovery', trans.__('first success after one')],
    ['success', trans.__('every success')],
    ['slow', trans.__('slowness')],
    ['drift', trans.__('changed packages')]
  ];
  return (
    <>
      <Field
        label={trans.__('Alerts to')}
        error={errors['to']}
        help={trans.__(
          'One address a line: mailto://…, slack://…, json://… and what else apprise knows.'
        )}
      >
        {input => (
          <textarea
            {...input}
            className="jp-mod-styled jp-MlopsAsk-code"
            rows={2}
            spellCheck={false}
            value={said.addresses}
            onChange={event => onChange({ addresses: event.target.value })}
          />
        )}
      </Field>
      {said.addresses.trim() && (
        <div
          className="jp-MlopsAsk-checks"
          role="group"
          aria-label={trans.__('Alert on')}
        >
          {kinds.map(([kind, label]) => (
            <label key={kind} className="jp-MlopsCheck">
              <input
                type="checkbox"
                checked={said.alerts.includes(kind)}
                onChange={({ target: { checked } }) =>
                  onChange({
                    alerts: kinds
                      .map(([name]) => name)
                      .filter(name =>
                        name === kind ? checked : said.alerts.includes(name)
                      )
                  })
                }
              />
              <span>{label}</span>
            </label>
          ))}
        </div>
      )}
    </>
  );
}

/** Which past runs are kept. */
export function RetentionFields(props: IFieldsProps): JSX.Element {
  const { said, errors, trans, onChange } = props;
  return (
    <>
      <NumberField
        label={trans.__('Keep runs')}
        value={said.keepRuns}
        error={errors['runs']}
        placeholder={trans.__('all')}
        whole
        onChange={keepRuns => onChange({ keepRuns })}
      />
      <NumberField
        label={trans.__('Keep days')}
        value={said.keepDays}
        error={errors['days']}
        placeholder={trans.__('all')}
        help={trans.__('What a registered model comes from is always kept.')}
        onChange={keepDays => onChange({ keepDays })}
      />
    </>
  );
}
