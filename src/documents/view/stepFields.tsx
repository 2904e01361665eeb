import type { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';
import type { AskedStep } from '../../api/client';
import type { GraphStep, NotebookInfo } from '../../api/schema';
import { Field } from '../../ui/field';
import { ParameterFields } from '../../ui/parameterFields';

/** A step while it is being described. */
export interface IStepDraft {
  name: string;
  /** Relative to the server's root. */
  notebook: string;
  kind: 'notebook' | 'sweep';
  /** Of a notebook. */
  parameters: Record<string, unknown>;
  /** Of a sweep: what each parameter is tried with. */
  space: Record<string, string>;
  metric: string;
  direction: 'maximize' | 'minimize';
  after: readonly string[];
  /** Names with commas between. */
  outputs: string;
}

export function emptyStep(notebook: string): IStepDraft {
  return {
    name: nameFrom(notebook),
    notebook,
    kind: 'notebook',
    parameters: {},
    space: {},
    metric: '',
    direction: 'maximize',
    after: [],
    outputs: ''
  };
}

/** What a step of this notebook may be called; a person may say otherwise. */
export function nameFrom(notebook: string): string {
  const stem = (notebook.split('/').pop() ?? '').replace(/\.ipynb$/, '');
  return stem.replace(/[^A-Za-z0-9_-]+/g, '_').replace(/^[^A-Za-z]+/, '');
}

/** As the server takes it; `notebook` is relative to the pipeline file's folder. */
export function stepOf(draft: IStepDraft, notebook: string): AskedStep {
  const outputs = draft.outputs
    .split(',')
    .map(name => name.trim())
    .filter(name => name !== '');
  const shared = {
    notebook,
    ...(draft.after.length > 0 && { after: [...draft.after] }),
    ...(outputs.length > 0 && { outputs })
  };
  if (draft.kind === 'notebook') {
    return { ...shared, parameters: draft.parameters };
  }
  const space = Object.fromEntries(
    Object.entries(draft.space).filter(([, text]) => text.trim() !== '')
  );
  return {
    ...shared,
    sweep: {
      space,
      objective: { metric: draft.metric.trim(), direction: draft.direction },
      sampler: { kind: 'grid', count: null, seed: 0 },
      slots: null,
      shared_prefix: false
    }
  };
}

export interface IStepFieldsProps {
  draft: IStepDraft;
  /** Of the notebook; null while it is not known. */
  info: NotebookInfo | null;
  graph: readonly GraphStep[];
  errors: Readonly<Record<string, string>>;
  trans: TranslationBundle;
  onChange(change: Partial<IStepDraft>): void;
  onPick(): void;
}

/** What is asked of a new step. */
export function StepFields(props: IStepFieldsProps): JSX.Element {
  const { draft, graph, errors, trans, onChange } = props;
  return (
    <div className="jp-MlopsAsk">
      <Field label={trans.__('Notebook')} error={errors['notebook']}>
        {input => (
          <div className="jp-MlopsRow">
            <input
              {...input}
              className="jp-mod-styled jp-MlopsAsk-code"
              spellCheck={false}
              value={draft.notebook}
              onChange={event => onChange({ notebook: event.target.value })}
            />
            <button
              type="button"
              className="jp-MlopsTool"
              onClick={props.onPick}
            >
              {trans.__('Pick…')}
            </button>
          </div>
        )}
      </Field>
      <Field
        label={trans.__('Name')}
        error={errors['name']}
        help={trans.__('Other steps refer to it: ${name.output}')}
      >
        {input => (
          <input
            {...input}
            className="jp-mod-styled jp-MlopsAsk-code"
            spellCheck={false}
            value={draft.name}
            onChange={event => onChange({ name: event.target.value })}
          />
        )}
      </Field>
      <Field label={trans.__('Runs as')}>
        {input => (
          <HTMLSelect
            {...input}
            className="jp-MlopsSelect"
            value={draft.kind}
            onChange={event =>
              onChange({ kind: event.target.value as IStepDraft['kind'] })
            }
          >
            <option value="notebook">{trans.__('one notebook')}</option>
            <option value="sweep">
              {trans.__('a sweep that hands on its best run')}
            </option>
          </HTMLSelect>
        )}
      </Field>
      <After draft={draft} graph={graph} trans={trans} onChange={onChange} />
      {draft.kind === 'sweep' ? (
        <Space {...props} />
      ) : (
        <Parameters {...props} />
      )}
      <Field
        label={trans.__('Outputs')}
        error={errors['outputs']}
        help={trans.__(
          'Variables of the notebook that later steps may use, with commas between'
        )}
      >
        {input => (
          <input
            {...input}
            className="jp-mod-styled jp-MlopsAsk-code"
            spellCheck={false}
            placeholder={trans.__('auc, model_path')}
            value={draft.outputs}
            onChange={event => onChange({ outputs: event.target.value })}
          />
        )}
      </Field>
    </div>
  );
}

function After(props: {
  draft: IStepDraft;
  graph: readonly GraphStep[];
  trans: TranslationBundle;
  onChange(change: Partial<IStepDraft>): void;
}): JSX.Element | null {
  const { draft, graph, trans, onChange } = props;
  return graph.length === 0 ? null : (
    <fieldset className="jp-MlopsAsk-group">
      <legend>{trans.__('After')}</legend>
      <div className="jp-MlopsStepAfter">
        {graph.map(({ name }) => (
          <label key={name} className="jp-MlopsCheck">
            <input
              type="checkbox"
              checked={draft.after.includes(name)}
              onChange={event =>
                onChange({
                  after: event.target.checked
                    ? [...draft.after, name]
                    : draft.after.filter(other => other !== name)
                })
              }
            />
            <span>{name}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

function Parameters(props: IStepFieldsProps): JSX.Element | null {
  const { draft, info, errors, trans, onChange } = props;
  const known = info?.parameters ?? [];
  return known.length === 0 ? null : (
    <fieldset className="jp-MlopsAsk-group">
      <legend>{trans.__('Parameters, where not the notebook’s own')}</legend>
      <ParameterFields
        names={known.map(({ name }) => name)}
        defaults={Object.fromEntries(
          known.map(parameter => [parameter.name, parameter.default])
        )}
        values={draft.parameters}
        error={errors['parameters']}
        onChange={parameters => onChange({ parameters })}
      />
    </fieldset>
  );
}

function Space(props: IStepFieldsProps): JSX.Element {
  const { draft, info, errors, trans, onChange } = props;
  return (
    <fieldset className="jp-MlopsAsk-group">
      <legend>{trans.__('What it tries')}</legend>
      {(info?.parameters ?? []).map(({ name, default_text }) => (
        <Field key={name} label={name}>
          {input => (
            <input
              {...input}
              className="jp-mod-styled jp-MlopsAsk-code"
              spellCheck={false}
              placeholder={default_text}
              value={draft.space[name] ?? ''}
              onChange={event =>
                onChange({
                  space: { ...draft.space, [name]: event.target.value }
                })
              }
            />
          )}
        </Field>
      ))}
      <Field label={trans.__('Best by')} error={errors['objective']}>
        {input => (
          <div className="jp-MlopsRow">
            <input
              {...input}
              className="jp-mod-styled jp-MlopsAsk-code"
              spellCheck={false}
              placeholder={info?.metrics[0] ?? trans.__('auc')}
              value={draft.metric}
              onChange={event => onChange({ metric: event.target.value })}
            />
            <HTMLSelect
              className="jp-MlopsSelect jp-MlopsDirection"
              aria-label={trans.__('Direction')}
              value={draft.direction}
              onChange={event =>
                onChange({
                  direction: event.target.value as IStepDraft['direction']
                })
              }
            >
              <option value="maximize">{trans.__('largest')}</option>
              <option value="minimize">{trans.__('smallest')}</option>
            </HTMLSelect>
          </div>
        )}
      </Field>
    </fieldset>
  );
}
