import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IMlopsModel } from '../model';
import { CommandIDs } from '../model/commandIds';
import { finishedRuns } from '../model/states';
import { tellFailure } from '../ui/failureSummary';

/** Tell a person at a sweep's end. */
export function announceEnds(
  app: JupyterFrontEnd,
  model: IMlopsModel,
  trans: TranslationBundle,
  wanted: () => boolean
): void {
  model.changed.connect((_, { ended }) => {
    for (const id of wanted() ? ended : []) {
      const sweep = model.sweep(id);
      if (!sweep || sweep.deleted_at || sweep.state === 'stopped') {
        continue;
      }
      const open = () =>
        void app.commands.execute(CommandIDs.openSweep, { id });
      if (sweep.state === 'succeeded') {
        Notification.success(
          trans._n(
            '“%2” is done: %1 run succeeded.',
            '“%2” is done: %1 runs succeeded.',
            sweep.total,
            sweep.name
          ),
          {
            autoClose: 8000,
            actions: [{ label: trans.__('Open'), callback: open }]
          }
        );
      } else {
        const failed = sweep.counts['failed'] ?? 0;
        const { name } = sweep;
        const text =
          failed > 0
            ? trans.__(
                '“%1” is over: %2 of %3 runs failed.',
                name,
                failed,
                finishedRuns(sweep)
              )
            : trans.__('“%1” failed. %2', name, sweep.message);
        tellFailure({ id, name, text, open }, trans);
      }
    }
  });
}
