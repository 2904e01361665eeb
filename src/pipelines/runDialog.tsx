/** A pipeline run by hand, with other parameters than its own. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';
import type { PipelineDetails, PipelineRun } from '../api/schema';
import type { IMlopsModel } from '../model';
import { Field } from '../ui/field';
import { ask, Questions } from '../ui/formDialog';
import { parametersOf, ParameterFields } from '../ui/parameterFields';

/** Ask for parameters and version, and run it; null where a person thought better of it. */
export async function runAsked(
  model: IMlopsModel,
  pipelineId: string,
  parameters: Readonly<Record<string, unknown>>,
  trans: TranslationBundle
): Promise<PipelineRun | null> {
  const details = await model.client.pipeline(pipelineId);
  return ask(new Rerun(model, details, parameters, trans), {
    title: trans.__('Run “%1”', details.pipeline.name),
    okLabel: trans.__('Run'),
    trans
  });
}

class Rerun extends Questions<PipelineRun> {
  constructor(
    private readonly _model: IMlopsModel,
    private readonly _details: PipelineDetails,
    parameters: Readonly<Record<string, unknown>>,
    trans: TranslationBundle
  ) {
    super(trans);
    this._version = _details.pipeline.version;
    this._parameters = { ...parameters };
  }

  protected readonly fields = ['parameters', 'version'];

  protected submit(): Promise<PipelineRun> {
    // a run also has what its trigger gave it, such as scheduled_time and trigger_files, and another version has others
    const known = Object.entries(this._parameters).filter(
      ([name]) => name in this._defaults
    );
    return this._model.client.runPipeline(this._details.pipeline.id, {
      parameters: Object.fromEntries(known),
      version: this._version
    });
  }

  private get _defaults(): Readonly<Record<string, unknown>> {
    const { pipeline } = this._details;
    return parametersOf({
      ...this._details,
      pipeline: { ...pipeline, version: this._version }
    });
  }

  protected body(): JSX.Element {
    const { trans } = this;
    const { versions } = this._details;
    const defaults = this._defaults;
    const names = Object.keys(defaults);
    return (
      <div className="jp-MlopsAsk">
        {versions.length > 1 && (
          <Field label={trans.__('Version')} error={this.errors['version']}>
            {input => (
              <HTMLSelect
                {...input}
                className="jp-MlopsSelect"
                value={this._version}
                options={versions.map(({ number, note }) => ({
                  value: number,
                  label: note ? `${number} · ${note}` : String(number)
                }))}
                onChange={event => {
                  this._version = Number(event.target.value);
                  this.changed();
                }}
              />
            )}
          </Field>
        )}
        {names.length === 0 && (
          <p className="jp-MlopsAsk-help">
            {trans.__('It has no parameters that could be other ones.')}
          </p>
        )}
        <ParameterFields
          names={names}
          defaults={defaults}
          values={this._parameters}
          error={this.errors['parameters']}
          onChange={values => {
            this._parameters = values;
            this.changed();
          }}
        />
      </div>
    );
  }

  private _version: number;
  private _parameters: Record<string, unknown>;
}
