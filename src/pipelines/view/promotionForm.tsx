import type { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';
import type { Client } from '../../api/client';
import type { Pipeline } from '../../api/schema';
import { Field } from '../../ui/field';
import { newSchedule, ScheduleForm } from '../../ui/schedule/scheduleForm';
import { Keeper } from '../../ui/schedule/serviceNotice';
import type { IPromotion } from './promotion';
import { More, MORE_FIELDS } from './promotionOptions';

export interface IPromoteFormProps {
  said: IPromotion;
  /** What is promoted, in words. */
  subject: string;
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

/** Whether it becomes a pipeline of its own or a version of one. */
function Becomes(props: IPromoteFormProps): JSX.Element | null {
  const { said, pipelines, path, trans, onChange } = props;
  if (pipelines.length === 0) {
    return null;
  }
  const own = sameFile(pipelines, path);
  const others = pipelines.filter(pipeline => !own.includes(pipeline));
  const version = ({ id, name, versions }: Pipeline) => ({
    value: id,
    label: trans.__('version %1 of “%2”', versions + 1, name)
  });
  return (
    <Field label={trans.__('Becomes')} error={props.errors['pipeline_id']}>
      {input => (
        <HTMLSelect
          {...input}
          className="jp-MlopsSelect"
          value={said.pipelineId}
          options={[
            ...own.map(version),
            // from one file there is one pipeline
            ...(own.length === 0
              ? [{ value: '', label: trans.__('a new pipeline') }]
              : []),
            ...others.map(version)
          ]}
          onChange={event => {
            const pipelineId = event.target.value;
            onChange({
              pipelineId,
              // another version changes nothing about when it fires, unless it is said
              schedule: pipelineId ? null : (said.schedule ?? newSchedule())
            });
          }}
        />
      )}
    </Field>
  );
}
