import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IMlopsModel } from '../model';
import { CommandIDs } from '../model/commandIds';

/** What a person was told of a pipeline, and may not have seen yet. */
interface ITold {
  /** Id of the notification. */
  notice: string;
  /** Ids of the runs that failed, the last one last. */
  runs: readonly string[];
}

/** Tell a person that runs of a pipeline failed; one notification a pipeline, however many did and however long. */
export function announceFailures(
  app: JupyterFrontEnd,
  model: IMlopsModel,
  trans: TranslationBundle,
  wanted: () => boolean
): void {
  const told = new Map<string, ITold>();
  model.changed.connect((_, { pipelinesEnded }) => {
    for (const { pipeline, run } of pipelinesEnded) {
      const before = told.get(pipeline);
      // it went on after it was mended
      if (run.state === 'succeeded' && before?.runs.at(-1) === run.id) {
        Notification.dismiss(before.notice);
        told.delete(pipeline);
      }
    }
    const failed = pipelinesEnded.filter(
      ({ run }) => run.state === 'failed' && wanted()
    );
    for (const id of new Set(failed.map(({ pipeline }) => pipeline))) {
      const pipeline = model.pipeline(id);
      const runs = failed.filter(end => end.pipeline === id);
      const last = runs.at(-1)?.run;
      if (!pipeline || pipeline.deleted_at || !last) {
        continue;
      }
      const before = told.get(id);
      const unread =
        before && Notification.manager.has(before.notice) ? before.runs : [];
      const all = [...new Set([...unread, ...runs.map(({ run }) => run.id)])];
      if (before) {
        Notification.dismiss(before.notice);
      }
      const notice = Notification.warning(
        all.length === 1
          ? trans.__('Run %1 of “%2” failed.', last.number, pipeline.name)
          : trans.__('%1 runs of “%2” failed.', all.length, pipeline.name),
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
      told.set(id, { notice, runs: all });
    }
  });
}
