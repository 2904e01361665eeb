import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { expect, it } from 'vitest';
import { CommandIDs } from '../model/commandIds';
import { modelOf } from '../testing/real';
import { FakeServer } from '../testing/server';
import { addServiceCommands } from './commands';

it('installs the service', async () => {
  const model = modelOf(new FakeServer());
  const commands = new CommandRegistry();
  const app = { commands } as unknown as JupyterFrontEnd;
  addServiceCommands(app, model, nullTranslator.load(''));
  await commands.execute(CommandIDs.installService);
  expect(
    Notification.manager.notifications.map(({ message }) => message)
  ).toEqual([
    'The service is installed: /home/ada/.config/systemd/user/jupyter-mlops.service.'
  ]);
  Notification.dismiss();
  model.dispose();
});
