/** Commands on pipelines, their runs and what fires them; those that open something are beside what they open. */
import { InputDialog, Notification } from '@jupyterlab/apputils';
import { pauseIcon, runIcon, stopIcon } from '@jupyterlab/ui-components';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { Pipeline } from '../api/schema';
import { CommandIDs } from '../model/commandIds';
import { isOver } from '../model/states';
import {
  argsSchema,
  pipelineArg,
  pointed,
  textArg
} from '../ui/commandArguments';
import { notifying } from '../ui/notifyErrors';
import { pipelineCommandAdder } from '../ui/pipelineCommand';
import { changePolicies } from './policiesDialog';
import {
  addPromoteCommand,
  type IPromoteCommandOptions
} from './promoteCommand';
import { runAsked } from './runDialog';

type IPipelineCommandOptions = IPromoteCommandOptions;

type Args = ReadonlyPartialJSONObject;

/** Commands on pipelines. */
export function addPipelineCommands(options: IPipelineCommandOptions): void {
  addPromoteCommand(options);
  addOwnCommands(options);
  addRunCommands(options);
}

function addOwnCommands(options: IPipelineCommandOptions): void {
  const { model, trans } = options;
  const { client } = model;
  const add = pipelineCommandAdder(options);
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
  add(CommandIDs.changePolicies, {
    label: trans.__('Change Alerts and Retention…'),
    enabled: ({ path, deleted_at }) => !deleted_at && path.endsWith('.ipynb'),
    execute: ({ id }) => changePolicies(model, id, trans)
  });
  add(CommandIDs.testAlert, {
    label: trans.__('Send a Test Alert'),
    execute: ({ id }) => testAlert(options, id)
  });
  add(CommandIDs.rollbackPipeline, {
    label: trans.__('Let Another Version Run'),
    args: { version: 'number' },
    execute: (pipeline, args) => rollback(options, pipeline, args['version'])
  });
}

function addRunCommands(options: IPipelineCommandOptions): void {
  const { app, model, trans } = options;
  const { client } = model;
  pipelineCommandAdder(options)(CommandIDs.runPipeline, {
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
  /** The run named or whose menu is open, else the live one of the pipeline whose menu is open. */
  const runArg = (args: Args): string => {
    const pipeline = model.pipeline(pipelineArg(app, {}));
    const run = pointed(app, 'run');
    const over = !pipeline?.recent.some(
      ({ id, state }) => id === run && !isOver(state)
    );
    return (
      textArg(args, 'id') ||
      (run ? (over ? '' : run) : (liveRun(pipeline) ?? ''))
    );
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
        const id = textArg(args, 'id') || pointed(app, 'run');
        await client.retryPipelineRun(id, textArg(args, 'step'));
        await model.refresh();
      })
  });
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

async function testAlert(
  { model, trans }: IPipelineCommandOptions,
  id: string
): Promise<void> {
  const { addresses, problems } = await model.client.testAlert(id);
  if (problems.length > 0) {
    throw new Error(problems.join(' '));
  }
  Notification.success(
    trans._n(
      'The test alert reached its address.',
      'The test alert reached all %1 addresses.',
      addresses
    ),
    { autoClose: 8000 }
  );
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
      required: true,
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
