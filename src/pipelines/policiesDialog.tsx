/** Alerts of a notebook's pipeline and what is kept of its runs, changed without promoting it again. */
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { Pipeline } from '../api/schema';
import type { IMlopsModel } from '../model';
import { ask, Questions } from '../ui/formDialog';
import {
  newPromotion,
  policiesIn,
  policiesOf,
  type IPromotion
} from './view/promotion';
import { AlertFields, RetentionFields } from './view/promotionOptions';

/** Ask for them and make a version that is otherwise the one that fires. */
export async function changePolicies(
  model: IMlopsModel,
  id: string,
  trans: TranslationBundle
): Promise<void> {
  const { pipeline, versions } = await model.client.pipeline(id);
  const live = versions.find(({ number }) => number === pipeline.version);
  const said = newPromotion(live ? policiesIn(live.definition) : {});
  await ask(new Policies(model, id, said, trans), {
    title: trans.__('Alerts and Retention of “%1”', pipeline.name),
    okLabel: trans.__('Save'),
    trans
  });
}

class Policies extends Questions<Pipeline> {
  constructor(
    private readonly _model: IMlopsModel,
    private readonly _id: string,
    private _said: IPromotion,
    trans: TranslationBundle
  ) {
    super(trans);
  }

  protected readonly fields = ['to', 'on', 'runs', 'days'];

  protected submit(): Promise<Pipeline> {
    return this._model.client.changePipeline(this._id, policiesOf(this._said));
  }

  protected body(): JSX.Element {
    const props = {
      said: this._said,
      errors: this.errors,
      trans: this.trans,
      onChange: (change: Partial<IPromotion>) => {
        this._said = { ...this._said, ...change };
        this.changed();
      }
    };
    return (
      <div className="jp-MlopsAsk">
        <AlertFields {...props} />
        <RetentionFields {...props} />
      </div>
    );
  }
}
