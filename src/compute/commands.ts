/** The command that installs the service. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IMlopsModel } from '../model';
import { CommandIDs } from '../model/commandIds';
import { argsSchema } from '../ui/commandArguments';
import { notifying } from '../ui/notifyErrors';

export function addServiceCommands(
  app: JupyterFrontEnd,
  model: IMlopsModel,
  trans: TranslationBundle
): void {
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
