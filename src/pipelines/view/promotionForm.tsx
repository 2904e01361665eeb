import type { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';
import type { Client } from '../../api/client';
import type { Pipeline } from '../../api/schema';
import { Facts } from '../../ui/facts';
import { Field } from '../../ui/field';
import { ScheduleForm } from '../../ui/schedule/scheduleForm';
import { Keeper } from '../../ui/schedule/serviceNotice';
import type { IPromotion } from './promotion';
import { More, MORE_FIELDS } from './promotionOptions';

/** The version of the chosen pipeline that fires now. */
export interface ILiveVersion {
  version: number;
  /** Of its parameters, as their notebook writes them. */
  values: ReadonlyMap<string, string>;
}

export interface IPromoteFormProps {
  said: IPromotion;
  /** What is promoted, in words. */
  subject: string;
  /** Values of the run that is promoted, by parameter. */
  values: ReadonlyMap<string, string>;
  /** Null where it becomes a new pipeline, or is not known yet. */
  live: ILiveVersion | null;
  /** Of its notebook or file. */
  path: string;
  isFile: boolean;
  /** All that there are. */
  pipelines: readonly Pipeline[];
  errors: Readonly<Record<string, string>>;
  client: Client;
  commands: CommandRegistry;
  trans: TranslationBundle;
  onChange(change: Partial<IPromotion>): void;
}

/** Pipelines made from the same file, of which this becomes a version. */
export function sameFile(
  pipelines: readonly Pipeline[],
  path: string
): readonly Pipeline[] {
  return pipelines.filter(pipeline => pipeline.path === path);
}

/** A name and when; all else is under “More”. */
export function PromoteForm(props: IPromoteFormProps): JSX.Element {
  const { said, isFile, errors, trans, onChange } = props;
  const id = React.useId();
  const [open, setOpen] = React.useState(false);
  const more = React.useRef<HTMLButtonElement>(null);
  React.useEffect(() => {
    if (open) {
      more.current?.scrollIntoView({ block: 'start' });
    }
  }, [open]);
  const wrong = MORE_FIELDS.some(field => errors[field]);
  const shown = open || wrong;
  return (
    <div className="jp-MlopsAsk">
      <p className="jp-MlopsAsk-subject">{props.subject}</p>
      <Becomes {...props} />
      <RunValues {...props} />
      {!said.pipelineId && (
        <Field label={trans.__('Name')} error={errors['name']}>
          {input => (
            <input
              {...input}
              className="jp-mod-styled"
              placeholder={isFile ? trans.__('as the file says') : ''}
              value={said.name}
              onChange={event => onChange({ name: event.target.value })}
            />
          )}
        </Field>
      )}
      <ScheduleForm
        value={said.schedule}
        errors={errors}
        client={props.client}
        pipelines={props.pipelines}
        parameters={null}
        trans={trans}
        byHand={
          said.pipelineId
            ? trans.__('as it is scheduled now')
            : trans.__('only by hand')
        }
        silent
        onChange={schedule => onChange({ schedule })}
      />
      {(said.schedule !== null || said.pipelineId) && (
        <Keeper client={props.client} commands={props.commands} trans={trans} />
      )}
      <button
        ref={more}
        type="button"
        className="jp-MlopsLink jp-MlopsAsk-more"
        aria-expanded={shown}
        aria-controls={id}
        onClick={() => setOpen(!shown)}
      >
        {shown ? trans.__('▾ Less') : trans.__('▸ More')}
      </button>
      <div id={id} className="jp-MlopsAsk" hidden={!shown}>
        {shown && <More {...props} />}
      </div>
    </div>
  );
}

/** What the run was given, with what the version that fires now has instead. */
function RunValues(props: IPromoteFormProps): JSX.Element | null {
  const { values, live, trans } = props;
  if (values.size === 0) {
    return null;
  }
  const facts = [...values].map(([name, value]): [string, JSX.Element] => {
    const before = live?.values.get(name);
    const changed = live !== null && before !== value;
    return [
      name,
      <>
        <code>{value}</code>{' '}
        {changed && (
          <span className="jp-MlopsHint">
            {before === undefined
              ? trans.__('version %1 does not have it', live.version)
              : trans.__('version %1 has %2', live.version, before)}
          </span>
        )}
      </>
    ];
  });
  const same =
    live &&
    [...values].every(([name, value]) => live.values.get(name) === value);
  return (
    <fieldset className="jp-MlopsAsk-group">
      <legend>{trans.__('Parameters of the run')}</legend>
      <Facts facts={facts} />
      {same && (
        <p className="jp-MlopsAsk-help">
          {trans.__(
            'Version %1, which runs now, has the same values.',
            live.version
          )}
        </p>
      )}
    </fieldset>
  );
}

/** Which version of which pipeline it becomes, where there is one of the same file already. */
function Becomes(props: IPromoteFormProps): JSX.Element | null {
  const { said, pipelines, path, trans, onChange } = props;
  const own = sameFile(pipelines, path);
  if (own.length === 0) {
    return null;
  }
  return (
    <Field label={trans.__('Becomes')} error={props.errors['pipeline_id']}>
      {input => (
        <HTMLSelect
          {...input}
          className="jp-MlopsSelect"
          value={said.pipelineId}
          options={own.map(({ id, name, versions }) => ({
            value: id,
            label: trans.__('version %1 of “%2”', versions + 1, name)
          }))}
          // another version changes nothing about when it fires, unless it is said
          onChange={event =>
            onChange({ pipelineId: event.target.value, schedule: null })
          }
        />
      )}
    </Field>
  );
}
