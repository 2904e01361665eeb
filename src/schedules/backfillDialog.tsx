/** Runs for a schedule's past times: how many they would be, and then that they be run. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';
import type {
  BackfillAnswer,
  BackfillRequest,
  PipelineDetails,
  Trigger
} from '../api/schema';
import type { IMlopsModel } from '../model';
import { Field } from '../ui/field';
import { ask, Questions } from '../ui/formDialog';
import { timeIn } from '../ui/schedule/cronPresets';

export interface IBackfillOptions {
  model: IMlopsModel;
  trans: TranslationBundle;
}

/** Milliseconds of silence after which what was typed is counted. */
const DELAY = 250;

/** Times that are shown of many, from either end. */
const SHOWN = 3;

/** Ask for a range, show what it means, and run it; answers how many runs were made, null for none. */
export async function backfill(
  { model, trans }: IBackfillOptions,
  pipelineId: string,
  triggerId: string
): Promise<number | null> {
  const details = await model.client.pipeline(pipelineId);
  const schedules = details.triggers.filter(({ kind }) => kind === 'cron');
  if (schedules.length === 0) {
    throw new Error(
      trans.__(
        '“%1” has no schedule whose past times could be run. Add one first.',
        details.pipeline.name
      )
    );
  }
  const answer = await ask(
    new Backfill(model, trans, details, schedules, triggerId),
    {
      title: trans.__('Backfill “%1”', details.pipeline.name),
      okLabel: trans.__('Run Them'),
      trans
    }
  );
  if (!answer) {
    return null;
  }
  await model.refresh();
  return answer.times.length - answer.known;
}

class Backfill extends Questions<BackfillAnswer> {
  constructor(
    private readonly _model: IMlopsModel,
    trans: TranslationBundle,
    private readonly _details: PipelineDetails,
    private readonly _schedules: readonly Trigger[],
    triggerId: string
  ) {
    super(trans);
    const day = (ago: number) => localDate(Date.now() - ago * 86_400_000);
    const trigger =
      _schedules.find(({ id }) => id === triggerId) ?? _schedules[0];
    // a week of a schedule that fires every minute is more than may be asked for
    const daily = /^\s*\d+\s+\d+\s/.test(trigger?.cron ?? '');
    this._asked = {
      start: day(daily ? 7 : 1),
      end: day(1),
      trigger_id: trigger?.id ?? '',
      dry_run: true
    };
    void this._count();
  }

  override dispose(): void {
    clearTimeout(this._timer);
    super.dispose();
  }

  protected readonly fields = ['start', 'end', 'trigger_id'];

  protected async submit(): Promise<BackfillAnswer> {
    const { client } = this._model;
    const { id } = this._details.pipeline;
    const counted = await client.backfill(id, this._asked);
    if (counted.times.length === counted.known) {
      throw new Error(
        this.trans.__('There is nothing to run between these days.')
      );
    }
    return client.backfill(id, { ...this._asked, dry_run: false });
  }

  protected body(): JSX.Element {
    const { trans } = this;
    const date = (name: 'start' | 'end', label: string) => (
      <Field label={label} error={this.errors[name]}>
        {input => (
          <input
            {...input}
            type="date"
            className="jp-mod-styled jp-MlopsAsk-number"
            value={this._asked[name]}
            onChange={event => this._say({ [name]: event.target.value })}
          />
        )}
      </Field>
    );
    return (
      <div className="jp-MlopsAsk">
        {this._schedules.length > 1 && (
          <Field label={trans.__('Schedule')} error={this.errors['trigger_id']}>
            {input => (
              <HTMLSelect
                {...input}
                className="jp-MlopsSelect"
                value={this._asked.trigger_id}
                options={this._schedules.map(({ id, cron, zone }) => ({
                  value: id,
                  label: `${cron} · ${zone}`
                }))}
                onChange={event =>
                  this._say({ trigger_id: event.target.value })
                }
              />
            )}
          </Field>
        )}
        {date('start', trans.__('From'))}
        {date('end', trans.__('To, included'))}
        <Counted counted={this._counted} zone={this._zone} trans={trans} />
        <p className="jp-MlopsAsk-help">
          {trans.__(
            'Each run gets its time as scheduled_time. As many go at once as the pipeline allows.'
          )}
        </p>
      </div>
    );
  }

  private _say(change: Partial<BackfillRequest>): void {
    this._asked = { ...this._asked, ...change };
    this._counted = null;
    this.changed();
    clearTimeout(this._timer);
    // a date is empty while it is typed
    if (this._asked.start && this._asked.end) {
      this._timer = setTimeout(() => void this._count(), DELAY);
    }
  }

  private async _count(): Promise<void> {
    const asked = this._asked;
    let counted: BackfillAnswer | string;
    try {
      counted = await this._model.client.backfill(
        this._details.pipeline.id,
        asked
      );
    } catch (error) {
      counted = error instanceof Error ? error.message : String(error);
    }
    if (asked === this._asked && !this.isDisposed) {
      this._counted = counted;
      this.update();
    }
  }

  private get _zone(): string {
    const id = this._asked.trigger_id;
    return this._schedules.find(schedule => schedule.id === id)?.zone ?? 'UTC';
  }

  private _asked: BackfillRequest;
  private _counted: BackfillAnswer | string | null = null;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}

/** How many times lie in the range, and which; or why that cannot be told. */
function Counted(props: {
  counted: BackfillAnswer | string | null;
  zone: string;
  trans: TranslationBundle;
}): JSX.Element {
  const { counted, zone, trans } = props;
  if (counted === null) {
    return <p className="jp-MlopsAsk-help">{trans.__('Counting…')}</p>;
  }
  if (typeof counted === 'string') {
    return (
      <p className="jp-MlopsField-error" role="alert">
        {counted}
      </p>
    );
  }
  const { times, known } = counted;
  if (times.length === 0) {
    return <p>{trans.__('No time of this schedule lies in that range.')}</p>;
  }
  const left = times.length - 2 * SHOWN;
  const shown =
    left > 1 ? [...times.slice(0, SHOWN), ...times.slice(-SHOWN)] : times;
  return (
    <div className="jp-MlopsPreview" aria-live="polite">
      <p className="jp-MlopsPreview-words">
        {known === 0
          ? trans._n('%1 time', '%1 times', times.length)
          : trans.__(
              '%1, %2 of them done already',
              trans._n('%1 time', '%1 times', times.length),
              known
            )}
      </p>
      <span className="jp-MlopsAsk-help">
        {trans.__('By the clock of %1:', zone)}
      </span>
      <ol aria-label={trans.__('Times')}>
        {shown.map((iso, index) => (
          <React.Fragment key={iso}>
            {left > 1 && index === SHOWN && (
              <li className="jp-MlopsPreview-gap">
                {trans.__('… %1 more …', left)}
              </li>
            )}
            <li title={iso}>
              <time dateTime={iso}>{timeIn(zone, iso)}</time>
            </li>
          </React.Fragment>
        ))}
      </ol>
    </div>
  );
}

/** A day as a date input has it, by the clock of this browser. */
function localDate(moment: number): string {
  const date = new Date(moment);
  const pad = (value: number) => String(value).padStart(2, '0');
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
}
