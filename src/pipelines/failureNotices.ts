import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IMlopsModel } from '../model';
import { CommandIDs } from '../model/commandIds';
import { isUnread, tellFailure, withdrawFailure } from '../ui/failureSummary';

/** Tell a person that runs of a pipeline failed. */
export function announceFailures(
  app: JupyterFrontEnd,
  model: IMlopsModel,
  trans: TranslationBundle,
  wanted: () => boolean
): void {
  /** By pipeline, ids of the runs that a person was told of; the last one last. */
  const told = new Map<string, readonly string[]>();
  model.changed.connect((_, { pipelinesEnded }) => {
    for (const { pipeline, run } of pipelinesEnded) {
      // it went on after it was mended
      if (run.state === 'succeeded' && told.get(pipeline)?.at(-1) === run.id) {
        withdrawFailure(pipeline, trans);
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
      const unread = isUnread(id) ? (told.get(id) ?? []) : [];
      const all = [...new Set([...unread, ...runs.map(({ run }) => run.id)])];
      tellFailure(
        {
          id,
          name: pipeline.name,
          text:
            all.length === 1
              ? trans.__('Run %1 of “%2” failed.', last.number, pipeline.name)
              : trans.__('%1 runs of “%2” failed.', all.length, pipeline.name),
          open: () =>
            void app.commands.execute(CommandIDs.openPipelineRun, {
              id,
              run: last.id
            })
        },
        trans
      );
      told.set(id, all);
    }
  });
}
