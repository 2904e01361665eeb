/** What fires a pipeline: adding it, changing it, and the token of what is called from outside. */
import { Clipboard, Dialog, showDialog } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type {
  PipelineDetails,
  ScheduleRequest,
  Trigger,
  TriggerChange
} from '../api/schema';
import type { IMlopsModel } from '../model';
import { ask, Questions } from '../ui/formDialog';
import { parametersOf } from '../ui/parameterFields';
import { newSchedule, ScheduleForm } from '../ui/schedule/scheduleForm';
import { Keeper } from '../ui/schedule/serviceNotice';

export interface ISchedulingOptions {
  commands: CommandRegistry;
  model: IMlopsModel;
  trans: TranslationBundle;
}

interface IScheduled {
  trigger: Trigger;
  token: string;
}

/** Add a schedule or trigger to a pipeline, or change the one with this id. */
export async function schedule(
  options: ISchedulingOptions,
  pipelineId: string,
  triggerId: string
): Promise<void> {
  const { model, trans } = options;
  const details = await model.client.pipeline(pipelineId);
  const trigger = details.triggers.find(({ id }) => id === triggerId) ?? null;
  if (triggerId && !trigger) {
    throw new Error(trans.__('That schedule was removed meanwhile.'));
  }
  const { name } = details.pipeline;
  const answer = await ask(new Scheduling(options, details, trigger), {
    title: trigger
      ? trans.__('When “%1” Runs', name)
      : trans.__('Schedule “%1”', name),
    okLabel: trigger ? trans.__('Save') : trans.__('Schedule'),
    trans
  });
  if (!answer) {
    return;
  }
  await model.refresh();
  if (answer.token) {
    await showToken(options, answer);
  }
}

class Scheduling extends Questions<IScheduled> {
  constructor(
    private readonly _options: ISchedulingOptions,
    private readonly _details: PipelineDetails,
    private readonly _trigger: Trigger | null
  ) {
    super(_options.trans);
    this._said = _trigger ? saidOf(_trigger) : newSchedule();
  }

  protected readonly fields = [
    'kind',
    'cron',
    'zone',
    'pattern',
    'upstream',
    'on',
    'overlap',
    'missed',
    'grace',
    'parameters'
  ];

  protected async submit(): Promise<IScheduled> {
    const { client } = this._options.model;
    if (!this._trigger) {
      return client.addTrigger(this._details.pipeline.id, this._said);
    }
    const trigger = await client.changeTrigger(
      this._trigger.id,
      changeOf(this._trigger, this._said)
    );
    return { trigger, token: '' };
  }

  protected body(): JSX.Element {
    const { model, commands, trans } = this._options;
    const { pipeline, keeper, keeper_ends: ends } = this._details;
    return (
      <>
        <ScheduleForm
          value={this._said}
          errors={this.errors}
          client={model.client}
          pipelines={model.pipelines().filter(({ id }) => id !== pipeline.id)}
          parameters={parametersOf(this._details)}
          trans={trans}
          fixed={!!this._trigger}
          policies
          onChange={value => {
            if (value) {
              this._said = value;
              this.changed();
            }
          }}
        />
        <Keeper
          client={model.client}
          commands={commands}
          trans={trans}
          keeper={keeper}
          ends={ends}
        />
      </>
    );
  }

  private _said: ScheduleRequest;
}

function saidOf(trigger: Trigger): ScheduleRequest {
  const { kind, cron, zone, pattern, upstream, on } = trigger;
  const { overlap, missed, grace, parameters, enabled } = trigger;
  return {
    ...{ kind, cron, zone, pattern, upstream, on },
    ...{ overlap, missed, grace, parameters, enabled }
  };
}

/** What is different, so that nothing else is overwritten that somebody changed meanwhile. */
function changeOf(
  before: Trigger,
  said: ScheduleRequest
): Partial<TriggerChange> {
  const fields = [
    'cron',
    'zone',
    'pattern',
    'overlap',
    'missed',
    'grace',
    'parameters'
  ] as const;
  return Object.fromEntries(
    fields
      .filter(
        name => JSON.stringify(before[name]) !== JSON.stringify(said[name])
      )
      .map(name => [name, said[name]])
  );
}

async function showToken(
  { model, trans }: ISchedulingOptions,
  { trigger, token }: IScheduled
): Promise<void> {
  const line = curlLine(model.client.triggerAddress(trigger.id), token);
  const { button } = await showDialog({
    title: trans.__('Its Token, Shown This Once'),
    body: (
      <div className="jp-MlopsConfirm">
        <p>
          {trans.__(
            'Whoever has this token can start a run. It is not kept here, so copy it now:'
          )}
        </p>
        <pre className="jp-MlopsToken" tabIndex={0}>
          {token}
        </pre>
        <p>{trans.__('From a shell:')}</p>
        <pre className="jp-MlopsToken" tabIndex={0}>
          {line}
        </pre>
      </div>
    ),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Close') }),
      Dialog.okButton({ label: trans.__('Copy Line') })
    ]
  });
  if (button.accept) {
    Clipboard.copyToSystem(line);
  }
}

/** What starts a run from a shell. */
export function curlLine(address: string, token: string): string {
  return [
    'curl -X POST',
    `-H 'Authorization: Bearer ${token}'`,
    "-H 'Content-Type: application/json'",
    `-d '{"parameters": {}}'`,
    `'${address}'`
  ].join(' ');
}
