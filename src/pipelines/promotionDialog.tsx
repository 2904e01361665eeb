/** From a finished run, a sweep, a notebook or a pipeline file to a pipeline that is open in the main area. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { PipelineDetails, PromoteAnswer } from '../api/schema';
import type { IMlopsModel } from '../model';
import { CommandIDs } from '../model/commandIds';
import { PIPELINE_SUFFIX } from '../model/paths';
import { formatNumber, literalText } from '../ui/format';
import { ask, Questions } from '../ui/formDialog';
import { parametersOf } from '../ui/parameterFields';
import { newSchedule } from '../ui/schedule/scheduleForm';
import {
  inherited,
  nameOf,
  newPromotion,
  requestOf,
  type IPromoted,
  type IPromotion
} from './view/promotion';
import { PromoteForm, sameFile, type ILiveVersion } from './view/promotionForm';
import { MORE_FIELDS } from './view/promotionOptions';

export interface IPromoteOptions {
  app: Pick<JupyterFrontEnd, 'commands'>;
  model: IMlopsModel;
  trans: TranslationBundle;
}

/** Ask for name and schedule, make the pipeline, and show it. */
export async function promote(
  options: IPromoteOptions,
  promoted: IPromoted
): Promise<void> {
  const { app, model, trans } = options;
  const subject = await subjectOf(options, promoted);
  const answer = await ask(new Promotion(options, promoted, subject), {
    title: trans.__('Promote to a Pipeline'),
    okLabel: trans.__('Promote'),
    trans
  });
  if (!answer) {
    return;
  }
  await model.refresh();
  const { pipeline, version } = answer;
  if (version.warnings.length > 0) {
    Notification.warning(
      trans.__('“%1”: %2', pipeline.name, version.warnings.join(' ')),
      { autoClose: 15_000 }
    );
  }
  await app.commands.execute(CommandIDs.openPipeline, { id: pipeline.id });
}

interface ISubject {
  /** In words. */
  text: string;
  /** Of its notebook or file. */
  path: string;
  /** Values of the run's parameters as its notebook writes them; empty where it is not a run that is promoted. */
  values: ReadonlyMap<string, string>;
  /** Of the kernel, lower case. */
  language: string;
}

async function subjectOf(
  { model, trans }: IPromoteOptions,
  { runId, sweepId, path }: IPromoted
): Promise<ISubject> {
  const sweepOf = async (id: string) =>
    model.sweep(id) ?? (await model.client.sweep(id));
  const best = sweepId ? (await sweepOf(sweepId)).best_run_id : null;
  const id = runId ?? best;
  if (id) {
    const run = model.run(id) ?? (await model.client.run(id));
    const { name, objective, ...sweep } = await sweepOf(run.sweep_id);
    const { path, language } = sweep;
    const value = objective ? run.metrics[objective.metric] : undefined;
    const what = trans.__(
      'Run %1 of “%2”: its notebook and code as they were, with its parameter values.',
      run.index + 1,
      name
    );
    const result =
      objective && value !== undefined
        ? run.id === sweep.best_run_id
          ? trans.__(
              'It is the best run: %1 is %2.',
              objective.metric,
              formatNumber(value)
            )
          : trans.__('Its %1 is %2.', objective.metric, formatNumber(value))
        : '';
    return {
      text: [what, result].join(' ').trim(),
      path,
      language,
      values: valuesOf({ ...sweep.defaults, ...run.parameters }, language)
    };
  }
  if (sweepId) {
    const { name, path: notebook, language } = await sweepOf(sweepId);
    return {
      text: trans.__(
        'The best run of “%1”: its notebook and code as they were, with its parameter values.',
        name
      ),
      path: notebook,
      language,
      values: new Map()
    };
  }
  const file = path ?? '';
  return {
    text: file.endsWith(PIPELINE_SUFFIX)
      ? trans.__('%1 with its notebooks and their code, as they are now.', file)
      : trans.__('%1 and the code it imports, as they are now.', file),
    path: file,
    language: '',
    values: new Map()
  };
}

function valuesOf(
  values: Readonly<Record<string, unknown>>,
  language: string
): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(values).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : literalText(value, language)
    ])
  );
}

class Promotion extends Questions<PromoteAnswer> {
  constructor(
    private readonly _options: IPromoteOptions,
    private readonly _promoted: IPromoted,
    private readonly _subject: ISubject
  ) {
    super(_options.trans);
    const { path } = _subject;
    this._isFile = path.endsWith(PIPELINE_SUFFIX);
    const [own] = sameFile(_options.model.pipelines(), path);
    this._said = newPromotion({
      pipelineId: own?.id ?? '',
      name: this._isFile ? '' : nameOf(path),
      schedule: own ? null : newSchedule()
    });
    void this._inherit();
  }

  protected readonly fields = [
    ...MORE_FIELDS,
    'name',
    'pipeline_id',
    'cron',
    'zone',
    'pattern',
    'upstream',
    'kind'
  ];

  protected submit(): Promise<PromoteAnswer> {
    return this._options.model.client.promote(
      requestOf(this._promoted, this._said, this._isFile)
    );
  }

  protected body(): JSX.Element {
    const { app, model, trans } = this._options;
    return (
      <PromoteForm
        said={this._said}
        subject={this._subject.text}
        values={this._subject.values}
        live={this._live}
        path={this._subject.path}
        isFile={this._isFile}
        pipelines={model.pipelines()}
        errors={this.errors}
        client={model.client}
        commands={app.commands}
        trans={trans}
        onChange={change => {
          this._said = { ...this._said, ...change };
          this.changed();
          if (change.pipelineId !== undefined) {
            void this._inherit();
          }
        }}
      />
    );
  }

  /** Begin with what the version before says. */
  private async _inherit(): Promise<void> {
    const { pipelineId: id } = this._said;
    this._live = null;
    if (!id || this._isFile) {
      return;
    }
    let details: PipelineDetails;
    try {
      details = await this._options.model.client.pipeline(id);
    } catch (error) {
      this.refuse(error);
      return;
    }
    // another one may have been chosen meanwhile
    if (this._said.pipelineId === id && !this.isDisposed) {
      this._said = { ...this._said, ...inherited(details) };
      this._live = {
        version: details.pipeline.version,
        values: valuesOf(parametersOf(details), this._subject.language)
      };
      this.update();
    }
  }

  private readonly _isFile: boolean;
  private _said: IPromotion;
  private _live: ILiveVersion | null = null;
}
