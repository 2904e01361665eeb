import type { TranslationBundle } from '@jupyterlab/translation';
import {
  caretDownIcon,
  caretRightIcon,
  HTMLSelect,
  runIcon
} from '@jupyterlab/ui-components';
import * as React from 'react';
import type { TargetInfo } from '../../api/schema';
import { formatCount, roughly } from '../../ui/format';
import type { NotebookForm } from '../notebookFormState';
import { Field, TextInput } from './parameterField';
import { Sharing } from './sharedCellsField';

export interface INotebookFormProps {
  form: NotebookForm;
  targets: readonly TargetInfo[];
  starting: boolean;
  /** Whether the notebook in front has edits that are not in its file yet. */
  unsaved: boolean;
  trans: TranslationBundle;
  onRun(): void;
  onTag(): void;
  onKeep(keep: boolean): void;
}

/** The form of one notebook, from its parameters down to the Run button. */
export function NotebookFormView(props: INotebookFormProps): JSX.Element {
  const { form, trans } = props;
  const { info } = form;
  if (!info) {
    return form.error ? (
      <Problem text={form.error} />
    ) : (
      <p className="jp-MlopsHint">{trans.__('Reading the notebook…')}</p>
    );
  }
  const parameters = form.parameters;
  const varied = Object.values(form.check?.fields ?? {}).some(
    field => field.count > 1
  );
  return (
    <form
      className="jp-MlopsForm"
      aria-label={trans.__('Sweep of %1', info.path)}
      onSubmit={event => {
        event.preventDefault();
        if (!blocked(props)) {
          props.onRun();
        }
      }}
    >
      {info.parameters_cell !== null && info.problem && (
        <Problem text={info.problem} />
      )}
      {(info.parameters_cell === null ||
        (info.parameters.length === 0 && !info.open_names)) && (
        <Untagged tagged={info.parameters_cell !== null} {...props} />
      )}
      {parameters.length > 0 && (
        <div className="jp-MlopsFields">
          {parameters.map(parameter => (
            <Field
              key={parameter.name}
              parameter={parameter}
              text={form.request.space[parameter.name] ?? ''}
              check={form.check?.fields[parameter.name]}
              trans={trans}
              onChange={text => form.setField(parameter.name, text)}
              {...(!form.isDeclared(parameter.name) && {
                onRemove: () => form.removeField(parameter.name)
              })}
            />
          ))}
        </div>
      )}
      {info.open_names && <AddField form={form} trans={trans} />}
      {parameters.length > 0 && !varied && !form.checking && (
        <p className="jp-MlopsHint">
          {trans.__('What to try:')} <code>1,5,20</code> {trans.__('a list,')}{' '}
          <code>3:8</code> {trans.__('a range,')} <code>log:0.01:1:5</code>{' '}
          {trans.__('five steps of a logarithmic one.')}
        </p>
      )}
      {(parameters.length > 0 || info.open_names) && (
        <>
          <Choices {...props} />
          <Sharing form={form} trans={trans} />
          <Advanced form={form} trans={trans} />
          <Keep {...props} />
          <Foot {...props} />
        </>
      )}
    </form>
  );
}

/** Why this cannot be started as it stands; empty where it can. */
export function blocked(props: INotebookFormProps): string {
  const { form, trans, targets } = props;
  const { info, check, request } = form;
  if (!info) {
    return trans.__('The notebook is being read.');
  }
  if (info.kernel_problem) {
    return info.kernel_problem;
  }
  const target = targets.find(({ name }) => name === request.target);
  if (target?.state === 'off') {
    return target.message;
  }
  if (request.target === '') {
    return trans.__('Give the scheduler’s address, such as tcp://host:8786.');
  }
  if (!check) {
    return form.error || trans.__('The space is being checked.');
  }
  const wrong = Object.entries(check.fields).find(([, field]) => field.error);
  if (wrong) {
    return trans.__('Mend “%1” first.', wrong[0]);
  }
  if (check.error) {
    return check.error;
  }
  return check.total === 0 ? trans.__('There is nothing to run.') : '';
}

function Untagged(
  props: INotebookFormProps & { tagged: boolean }
): JSX.Element {
  const { trans } = props;
  return (
    <div className="jp-MlopsEmpty">
      <p>
        {props.tagged
          ? trans.__('If another cell holds them, select and tag that one.')
          : trans.__(
              'No cell holds the parameters yet. Select the cell that assigns them, in lines such as “max_depth = 6”, and tag it.'
            )}
      </p>
      <button
        type="button"
        className="jp-Button jp-mod-styled jp-mod-accept jp-MlopsButton"
        onClick={props.onTag}
      >
        {trans.__('Tag this cell')}
      </button>
    </div>
  );
}

function AddField(props: {
  form: NotebookForm;
  trans: TranslationBundle;
}): JSX.Element {
  const { form, trans } = props;
  const [name, setName] = React.useState('');
  const [refused, setRefused] = React.useState(false);
  const id = React.useId();
  const add = () => {
    const good = /^[A-Za-z_.][\w.]*$/.test(name);
    setRefused(!good);
    if (good) {
      form.addField(name);
      setName('');
    }
  };
  return (
    <>
      <div className="jp-MlopsRow">
        <TextInput
          value={name}
          placeholder={trans.__('name of a parameter')}
          aria-label={trans.__('Name of a parameter to add')}
          aria-invalid={refused}
          aria-describedby={refused ? id : undefined}
          onChange={text => {
            setName(text);
            setRefused(false);
          }}
          onKeyDown={event => {
            if (event.key === 'Enter') {
              event.preventDefault();
              add();
            }
          }}
        />
        <button
          type="button"
          className="jp-Button jp-mod-styled jp-mod-reject jp-MlopsButton"
          disabled={!name}
          onClick={add}
        >
          {trans.__('Add')}
        </button>
      </div>
      {refused && (
        <div className="jp-MlopsField-error" id={id} role="alert">
          {trans.__(
            'A name has letters, digits, underscores and dots, and does not begin with a digit.'
          )}
        </div>
      )}
    </>
  );
}

const OTHER = 'tcp://';

function Choices(props: INotebookFormProps): JSX.Element {
  const { form, trans, targets } = props;
  const { request, info } = form;
  const id = React.useId();
  const direction = request.objective?.direction ?? 'maximize';
  const other = !targets.some(({ name }) => name === request.target);
  return (
    <div className="jp-MlopsGrid">
      <label htmlFor={`${id}-metric`}>{trans.__('Metric')}</label>
      <div className="jp-MlopsRow">
        <TextInput
          id={`${id}-metric`}
          value={request.objective?.metric ?? ''}
          list={`${id}-metrics`}
          placeholder={trans.__('later')}
          title={trans.__(
            'Runs are compared by it: a metric logged to MLflow, or a variable that is a number after the last cell. It may be chosen later.'
          )}
          onChange={metric =>
            form.update({
              objectives: [],
              objective: metric.trim()
                ? { metric: metric.trim(), direction }
                : null
            })
          }
        />
        <datalist id={`${id}-metrics`}>
          {info?.metrics.map(name => (
            <option key={name} value={name} />
          ))}
        </datalist>
        <HTMLSelect
          className="jp-MlopsSelect jp-MlopsDirection"
          aria-label={trans.__('Direction')}
          title={
            direction === 'maximize'
              ? trans.__('The higher the better')
              : trans.__('The lower the better')
          }
          value={direction}
          disabled={!request.objective}
          options={[
            { value: 'maximize', label: trans.__('↑ max') },
            { value: 'minimize', label: trans.__('↓ min') }
          ]}
          onChange={event =>
            request.objective &&
            form.update({
              objectives: [],
              objective: {
                ...request.objective,
                direction: event.target.value as 'maximize' | 'minimize'
              }
            })
          }
        />
      </div>
      <label htmlFor={`${id}-target`}>{trans.__('Target')}</label>
      <div className="jp-MlopsRow">
        <HTMLSelect
          id={`${id}-target`}
          className="jp-MlopsSelect"
          value={other ? OTHER : request.target}
          onChange={event => form.update({ target: event.target.value })}
        >
          {targets
            .filter(({ kind }) => kind !== 'scheduler')
            .map(target => (
              <option
                key={target.name}
                value={target.name}
                disabled={target.state === 'off'}
                title={target.message}
              >
                {targetLabel(target, trans)}
              </option>
            ))}
          {targets
            .filter(({ kind }) => kind === 'scheduler')
            .map(target => (
              <option key={target.name} value={target.name}>
                {target.name}
              </option>
            ))}
          <option value={OTHER}>{trans.__('Dask scheduler…')}</option>
        </HTMLSelect>
      </div>
      {other && targets.length > 0 && (
        <>
          <label htmlFor={`${id}-address`}>{trans.__('Address')}</label>
          <TextInput
            id={`${id}-address`}
            value={request.target}
            placeholder={trans.__('tcp://host:8786')}
            onChange={target => form.update({ target: target.trim() })}
          />
        </>
      )}
      <label htmlFor={`${id}-sampler`}>{trans.__('Try')}</label>
      <div className="jp-MlopsRow">
        <HTMLSelect
          id={`${id}-sampler`}
          className="jp-MlopsSelect"
          value={request.sampler.kind}
          options={[
            { value: 'grid', label: trans.__('all combinations') },
            { value: 'random', label: trans.__('some at random') }
          ]}
          onChange={event =>
            form.update({
              sampler:
                event.target.value === 'random'
                  ? {
                      ...request.sampler,
                      kind: 'random',
                      count: request.sampler.count ?? 20
                    }
                  : { ...request.sampler, kind: 'grid', count: null }
            })
          }
        />
        {request.sampler.kind === 'random' && (
          <NumberInput
            value={request.sampler.count}
            placeholder="20"
            label={trans.__('How many at random')}
            onChange={count =>
              form.update({ sampler: { ...request.sampler, count } })
            }
          />
        )}
      </div>
    </div>
  );
}

function targetLabel(target: TargetInfo, trans: TranslationBundle): string {
  if (target.state === 'off') {
    return trans.__('%1 · off', target.name);
  }
  return target.slots > 0
    ? trans._n('%2 · %1 slot', '%2 · %1 slots', target.slots, target.name)
    : target.name;
}

function NumberInput(props: {
  id?: string;
  value: number | null;
  placeholder: string;
  label?: string;
  step?: string;
  min?: number;
  onChange(value: number | null): void;
}): JSX.Element {
  return (
    <TextInput
      {...(props.id && { id: props.id })}
      type="number"
      className="jp-MlopsNumber"
      min={props.min ?? 1}
      step={props.step ?? '1'}
      value={props.value === null ? '' : String(props.value)}
      placeholder={props.placeholder}
      aria-label={props.label}
      onChange={text => {
        const value = Number(text);
        props.onChange(text === '' || Number.isNaN(value) ? null : value);
      }}
    />
  );
}

function Advanced(props: {
  form: NotebookForm;
  trans: TranslationBundle;
}): JSX.Element {
  const { form, trans } = props;
  const { request } = form;
  const id = React.useId();
  const [open, setOpen] = React.useState(false);
  const number = (
    key: 'slots' | 'cell_timeout' | 'run_timeout',
    label: string,
    placeholder: string
  ) => (
    <>
      <label htmlFor={`${id}-${key}`}>{label}</label>
      <NumberInput
        id={`${id}-${key}`}
        value={request[key]}
        placeholder={placeholder}
        onChange={value => form.update({ [key]: value })}
      />
    </>
  );
  const text = (
    key: 'name' | 'experiment',
    label: string,
    placeholder: string
  ) => (
    <>
      <label htmlFor={`${id}-${key}`}>{label}</label>
      <TextInput
        id={`${id}-${key}`}
        value={request[key]}
        placeholder={placeholder}
        onChange={value => form.update({ [key]: value })}
      />
    </>
  );
  const stem = (request.path.split('/').pop() ?? '').replace(/\.ipynb$/, '');
  return (
    <div className="jp-MlopsAdvanced">
      <button
        type="button"
        className="jp-MlopsDisclosure"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        {open ? (
          <caretDownIcon.react tag="span" width="14px" height="14px" />
        ) : (
          <caretRightIcon.react tag="span" width="14px" height="14px" />
        )}
        {trans.__('Advanced')}
      </button>
      {open && (
        <div className="jp-MlopsGrid">
          <label
            htmlFor={`${id}-also`}
            title={trans.__(
              'Variables that are numbers after the last cell, apart by commas'
            )}
          >
            {trans.__('Also read')}
          </label>
          <TextInput
            id={`${id}-also`}
            value={request.metrics.join(', ')}
            placeholder={trans.__('loss, seconds')}
            onChange={value =>
              form.update({
                metrics: value
                  .split(',')
                  .map(name => name.trim())
                  .filter(Boolean)
              })
            }
          />
          {number('slots', trans.__('Slots'), trans.__('as memory allows'))}
          {number('cell_timeout', trans.__('Cell limit (s)'), trans.__('none'))}
          {number('run_timeout', trans.__('Run limit (s)'), trans.__('none'))}
          {text('name', trans.__('Name'), trans.__('%1 · time', stem))}
          {text('experiment', trans.__('Experiment'), stem)}
          {request.sampler.kind === 'random' && (
            <>
              <label htmlFor={`${id}-seed`}>{trans.__('Random seed')}</label>
              <NumberInput
                id={`${id}-seed`}
                value={request.sampler.seed}
                min={0}
                placeholder="0"
                onChange={seed =>
                  form.update({
                    sampler: { ...request.sampler, seed: seed ?? 0 }
                  })
                }
              />
            </>
          )}
        </div>
      )}
    </div>
  );
}

function Foot(props: INotebookFormProps): JSX.Element {
  const { form, trans, starting } = props;
  const id = React.useId();
  const reason = blocked(props);
  const total = form.check?.total ?? 0;
  const combinations = form.check?.combinations ?? 0;
  const seconds = estimate(props);
  return (
    <div className="jp-MlopsFoot">
      <div className="jp-MlopsRow">
        <button
          type="submit"
          className="jp-Button jp-mod-styled jp-mod-accept jp-MlopsButton jp-MlopsRun"
          disabled={!!reason || starting}
          aria-describedby={reason ? `${id}-reason` : undefined}
          data-checking={form.checking}
        >
          <runIcon.react
            tag="span"
            className="jp-MlopsRun-icon"
            width="14px"
            height="14px"
          />
          {starting
            ? trans.__('Starting…')
            : total > 0
              ? trans.__('Run %1', formatCount(total))
              : trans.__('Run')}
        </button>
        <span className="jp-MlopsFoot-note" aria-live="polite">
          {!reason && total > 0
            ? [
                combinations > total
                  ? trans.__('of %1 combinations', formatCount(combinations))
                  : trans._n('%1 run', '%1 runs', total),
                seconds !== null && trans.__('about %1', roughly(seconds))
              ]
                .filter(Boolean)
                .join(' · ')
            : ''}
        </span>
      </div>
      {reason && (
        <div className="jp-MlopsFoot-reason" id={`${id}-reason`}>
          {reason}
        </div>
      )}
      {form.error && form.error !== reason && <Problem text={form.error} />}
      {props.unsaved && !reason && (
        <div className="jp-MlopsHint">
          {trans.__('Unsaved edits are saved when it starts.')}
        </div>
      )}
    </div>
  );
}

/** Seconds it will take, by how long a run took last time; null where that is not known. */
function estimate(props: INotebookFormProps): number | null {
  const { form, targets } = props;
  const { info, check, request } = form;
  const target = targets.find(({ name }) => name === request.target);
  const slots = Math.min(target?.slots || 1, request.slots ?? Infinity);
  return typeof info?.run_seconds === 'number' && check
    ? info.run_seconds * Math.max(1, check.total / slots)
    : null;
}

/** Whether the form goes with the notebook's file; never written without being asked. */
function Keep(props: INotebookFormProps): JSX.Element {
  const { form, trans } = props;
  const empty = Object.keys(form.request.space).length === 0;
  return (
    <div className="jp-MlopsRow jp-MlopsLinks">
      {form.savedWithNotebook ? (
        <span className="jp-MlopsFoot-note">
          {trans.__('✓ Saved with the notebook')}
        </span>
      ) : (
        <button
          type="button"
          className="jp-MlopsLink"
          disabled={empty}
          title={trans.__(
            'Write this form into the notebook’s metadata, so that it goes where the notebook goes'
          )}
          onClick={() => props.onKeep(true)}
        >
          {trans.__('Save with notebook')}
        </button>
      )}
      {form.info?.saved && (
        <button
          type="button"
          className="jp-MlopsLink"
          onClick={() => props.onKeep(false)}
        >
          {trans.__('Remove from it')}
        </button>
      )}
    </div>
  );
}

function Problem(props: { text: string }): JSX.Element {
  return (
    <div className="jp-MlopsProblem" role="alert">
      {props.text}
    </div>
  );
}
