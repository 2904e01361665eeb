import type { JupyterFrontEnd } from '@jupyterlab/application';
import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { expect, it } from 'vitest';
import { CommandIDs } from '../model/commandIds';
import { modelOf } from '../testing/real';
import { FakeServer } from '../testing/server';
import { addScheduleCommands } from './commands';

it('pauses, resumes and removes what fires it', async () => {
  const server = new FakeServer();
  server.pipelines.put({ id: 'p', name: 'delays' });
  const model = modelOf(server);
  await model.refresh();
  const commands = new CommandRegistry();
  const app = { commands } as unknown as JupyterFrontEnd;
  addScheduleCommands({ app, model, trans: nullTranslator.load('') });
  server.pipelines.putTrigger({ id: 't', pipeline_id: 'p' });
  const args = { id: 'p', trigger: 't' };
  await commands.execute(CommandIDs.pauseTrigger, args);
  await commands.execute(CommandIDs.resumeTrigger, args);
  await commands.execute(CommandIDs.removeTrigger, args);
  expect(
    server.askedFor('triggers/t', 'PATCH').map(({ body }) => body)
  ).toEqual([{ enabled: false }, { enabled: true }]);
  expect(server.pipelines.triggers.size).toBe(0);
  model.dispose();
});
