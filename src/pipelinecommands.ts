/** Commands on pipelines, their runs and what fires them; those that open something are beside what they open. */
import { InputDialog, Notification } from '@jupyterlab/apputils';
import {
  type LabIcon,
  pauseIcon,
  runIcon,
  stopIcon
} from '@jupyterlab/ui-components';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { Pipeline } from './api/schema';
import { argsSchema, pipelineArg, textArg } from './args';
import { backfill } from './backfill';
import { notifying } from './notifying';
import { addPromoteCommand, type IPromoteCommandOptions } from './promoting';
import { runAsked } from './rerun';
import { schedule } from './scheduling';
import { CommandIDs, isOver } from './tokens';

type IPipelineCommandOptions = IPromoteCommandOptions;

type Args = ReadonlyPartialJSONObject;

/** Commands on pipelines. */
export function addPipelineCommands(options: IPipelineCommandOptions): void {
  addPromoteCommand(options);
  addOwnCommands(options);
  addRunCommands(options);
  addTriggerCommands(options);
  const { app, model, trans } = options;
  app.commands.addCommand(CommandIDs.installService, {
    label: trans.__('Install the MLOps Service'),
    caption: trans.__(
      'Let a systemd unit of yours start the service, so that schedules outlive the login'
    ),
    describedBy: { args: argsSchema({}) },
    execute: () =>
      notifying(async () => {
        const keep = await model.client.installService();
        Notification.success(
          keep.message || trans.__('The service is installed: %1.', keep.unit),
          { autoClose: 10_000 }
        );
      })
  });
}

/** Adds commands on a pipeline: the one named, or the one whose menu is open. */
function adder({ app, model }: IPipelineCommandOptions) {
  return (
    id: string,
    options: {
      label: string;
      icon?: LabIcon;
      args?: Parameters<typeof argsSchema>[0];
      enabled?: (pipeline: Pipeline) => boolean;
      execute: (pipeline: Pipeline, args: Args) => Promise<unknown>;
    }
  ) => {
    const { label, icon, enabled = pipeline => !pipeline.deleted_at } = options;
    const find = (args: Args): Pipeline | null => {
      const pipeline = model.pipeline(pipelineArg(app, args));
      return pipeline && enabled(pipeline) ? pipeline : null;
    };
    app.commands.addCommand(id, {
      label,
      ...(icon && { icon }),
      isEnabled: args => find(args) !== null,
      isVisible: args => find(args) !== null,
      describedBy: { args: argsSchema({ id: 'string', ...options.args }) },
      execute: async args => {
        const pipeline = find(args);
        if (pipeline) {
          await notifying(async () => {
            await options.execute(pipeline, args);
            await model.refresh();
          });
        }
      }
    });
  };
}

function addOwnCommands(options: IPipelineCommandOptions): void {
  const { model, trans } = options;
  const { client } = model;
  const add = adder(options);
  add(CommandIDs.pausePipeline, {
    label: trans.__('Pause Schedules'),
    icon: pauseIcon,
    enabled: pipeline =>
      !pipeline.deleted_at && !pipeline.paused && pipeline.triggers > 0,
    execute: ({ id }) => client.changePipeline(id, { paused: true })
  });
  add(CommandIDs.resumePipeline, {
    label: trans.__('Resume Schedules'),
    enabled: pipeline => !pipeline.deleted_at && pipeline.paused,
    execute: ({ id }) => client.changePipeline(id, { paused: false })
  });
  add(CommandIDs.renamePipeline, {
    label: trans.__('Rename Pipeline…'),
    args: { name: 'string' },
    execute: (pipeline, args) => rename(options, pipeline, args['name'])
  });
  add(CommandIDs.deletePipeline, {
    label: trans.__('Delete Pipeline'),
    execute: pipeline => remove(options, pipeline)
  });
  add(CommandIDs.restorePipeline, {
    label: trans.__('Restore Pipeline'),
    enabled: pipeline => !!pipeline.deleted_at,
    execute: ({ id }) => client.restorePipeline(id)
  });
  add(CommandIDs.rollbackPipeline, {
    label: trans.__('Let Another Version Run'),
    args: { version: 'number' },
    execute: (pipeline, args) => rollback(options, pipeline, args['version'])
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
}

function addRunCommands(options: IPipelineCommandOptions): void {
  const { app, model, trans } = options;
  const { client } = model;
  adder(options)(CommandIDs.runPipeline, {
    label: trans.__('Run Now'),
    icon: runIcon,
    args: {
      ask: 'boolean',
      parameters: 'object',
      version: 'number'
    },
    execute: async ({ id }, args) => {
      const parameters = objectArg(args, 'parameters');
      const version = args['version'];
      if (args['ask']) {
        await runAsked(model, id, parameters ?? {}, trans);
        return;
      }
      await client.runPipeline(id, {
        ...(parameters && { parameters }),
        ...(typeof version === 'number' && { version })
      });
    }
  });
  /** The run named, else the live one of the pipeline whose menu is open. */
  const runArg = (args: Args): string => {
    const id = textArg(args, 'id');
    return id || (liveRun(model.pipeline(pipelineArg(app, {}))) ?? '');
  };
  app.commands.addCommand(CommandIDs.stopPipelineRun, {
    label: trans.__('Stop Run'),
    icon: stopIcon,
    isEnabled: args => runArg(args) !== '',
    isVisible: args => runArg(args) !== '',
    describedBy: { args: argsSchema({ id: 'string' }) },
    execute: args =>
      notifying(async () => {
        await client.stopPipelineRun(runArg(args));
        await model.refresh();
      })
  });
  app.commands.addCommand(CommandIDs.retryPipelineRun, {
    label: args =>
      textArg(args, 'step')
        ? trans.__('Retry from “%1” on', textArg(args, 'step'))
        : trans.__('Retry What Failed'),
    describedBy: { args: argsSchema({ id: 'string', step: 'string' }) },
    execute: args =>
      notifying(async () => {
        const id = textArg(args, 'id');
        await client.retryPipelineRun(id, textArg(args, 'step'));
        await model.refresh();
      })
  });
}

function addTriggerCommands(options: IPipelineCommandOptions): void {
  const { app, model, trans } = options;
  const { client } = model;
  const add = adder(options);
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

function objectArg(args: Args, name: string): Record<string, unknown> | null {
  const value = args[name];
  return value && typeof value === 'object' && !Array.isArray(value)
    ? { ...value }
    : null;
}

/** The newest run that is not over; null for none. */
function liveRun(pipeline: Pipeline | undefined): string | null {
  const live = pipeline?.recent.filter(({ state }) => !isOver(state));
  return live?.at(-1)?.id ?? null;
}

async function rename(
  { model, trans }: IPipelineCommandOptions,
  pipeline: Pipeline,
  given: unknown
): Promise<void> {
  let name = typeof given === 'string' ? given : null;
  name ??= (
    await InputDialog.getText({
      title: trans.__('Rename Pipeline'),
      label: trans.__('Name'),
      text: pipeline.name,
      okLabel: trans.__('Rename')
    })
  ).value;
  if (name?.trim() && name !== pipeline.name) {
    await model.client.changePipeline(pipeline.id, { name: name.trim() });
  }
}

async function remove(
  { app, model, trans }: IPipelineCommandOptions,
  { id, name }: Pipeline
): Promise<void> {
  await model.client.deletePipeline(id);
  Notification.info(
    trans.__(
      '“%1” is deleted and fires no more; it can be restored for 30 days.',
      name
    ),
    {
      autoClose: 8000,
      actions: [
        {
          label: trans.__('Undo'),
          callback: () =>
            void app.commands.execute(CommandIDs.restorePipeline, { id })
        }
      ]
    }
  );
}

async function rollback(
  { app, model, trans }: IPipelineCommandOptions,
  { id, name, version: before }: Pipeline,
  version: unknown
): Promise<void> {
  if (typeof version !== 'number' || version === before) {
    return;
  }
  await model.client.changePipeline(id, { version });
  Notification.success(
    trans.__('“%1” runs version %2 from now on.', name, version),
    {
      autoClose: 8000,
      actions: [
        {
          label: trans.__('Undo'),
          callback: () =>
            void app.commands.execute(CommandIDs.rollbackPipeline, {
              id,
              version: before
            })
        }
      ]
    }
  );
}
