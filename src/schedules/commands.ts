/** Commands on what fires a pipeline. */
import { Notification } from '@jupyterlab/apputils';
import { CommandIDs } from '../model/commandIds';
import { textArg } from '../ui/commandArguments';
import {
  pipelineCommandAdder,
  type IPipelineCommandOptions
} from '../ui/pipelineCommand';
import { backfill } from './backfillDialog';
import { schedule } from './scheduleDialog';

/** Commands on what fires a pipeline. */
export function addScheduleCommands(options: IPipelineCommandOptions): void {
  const { app, model, trans } = options;
  const { client } = model;
  const add = pipelineCommandAdder(options);
  add(CommandIDs.schedulePipeline, {
    label: trans.__('Schedule…'),
    args: { trigger: 'string' },
    execute: ({ id }, args) =>
      schedule(
        { commands: app.commands, model, trans },
        id,
        textArg(args, 'trigger')
      )
  });
  add(CommandIDs.backfillPipeline, {
    label: trans.__('Backfill…'),
    args: { trigger: 'string' },
    execute: async ({ id, name }, args) => {
      const made = await backfill(options, id, textArg(args, 'trigger'));
      if (made !== null) {
        Notification.info(
          trans._n(
            '%1 run of “%2” is waiting.',
            '%1 runs of “%2” are waiting.',
            made,
            name
          ),
          { autoClose: 6000 }
        );
      }
    }
  });
  const act = (
    id: string,
    label: string,
    execute: (trigger: string) => Promise<unknown>
  ) =>
    add(id, {
      label,
      args: { trigger: 'string' },
      execute: (_, args) => execute(textArg(args, 'trigger'))
    });
  act(CommandIDs.removeTrigger, trans.__('Remove Schedule'), id =>
    client.deleteTrigger(id)
  );
  act(CommandIDs.pauseTrigger, trans.__('Pause Schedule'), id =>
    client.changeTrigger(id, { enabled: false })
  );
  act(CommandIDs.resumeTrigger, trans.__('Resume Schedule'), id =>
    client.changeTrigger(id, { enabled: true })
  );
}
