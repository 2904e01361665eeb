/** Commands on the pipeline that is named, or whose menu is open. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { LabIcon } from '@jupyterlab/ui-components';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { Pipeline } from '../api/schema';
import type { IMlopsModel } from '../model';
import { argsSchema, pipelineArg } from './commandArguments';
import { starting } from './notifyErrors';

type Args = ReadonlyPartialJSONObject;

export interface IPipelineCommandOptions {
  app: JupyterFrontEnd;
  model: IMlopsModel;
  trans: TranslationBundle;
}

/** Adds commands on a pipeline: the one named, or the one whose menu is open. */
export function pipelineCommandAdder(options: IPipelineCommandOptions) {
  const { app, model, trans } = options;
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
        await starting(trans.__('%1: under way', label), async () => {
          const pipeline = find(args);
          if (!pipeline) {
            throw new Error(
              trans.__('%1: this is not possible any more.', label)
            );
          }
          await options.execute(pipeline, args);
          await model.refresh();
        });
      }
    });
  };
}
