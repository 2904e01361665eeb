import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { CommandIDs, type IMlopsModel } from './tokens';

/** Tell a person that runs of a pipeline failed; one notification a pipeline, however many did. */
export function announceFailures(
  app: JupyterFrontEnd,
  model: IMlopsModel,
  trans: TranslationBundle
): void {
  model.changed.connect((_, { pipelinesEnded }) => {
    const failed = pipelinesEnded.filter(({ run }) => run.state === 'failed');
    for (const id of new Set(failed.map(({ pipeline }) => pipeline))) {
      const pipeline = model.pipeline(id);
      const runs = failed.filter(end => end.pipeline === id);
      const last = runs.at(-1)?.run;
      if (!pipeline || pipeline.deleted_at || !last) {
        continue;
      }
      Notification.warning(
        runs.length === 1
          ? trans.__('Run %1 of “%2” failed.', last.number, pipeline.name)
          : trans.__('%1 runs of “%2” failed.', runs.length, pipeline.name),
        {
          autoClose: false,
          actions: [
            {
              label: trans.__('Open'),
              callback: () =>
                void app.commands.execute(CommandIDs.openPipelineRun, {
                  id,
                  run: last.id
                })
            }
          ]
        }
      );
    }
  });
}
