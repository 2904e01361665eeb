import type { JupyterFrontEnd } from '@jupyterlab/application';
import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { expect, it, vi } from 'vitest';
import { CommandIDs } from '../model/commandIds';
import { modelOf } from '../testing/real';
import { byRole } from '../testing/render';
import { FakeServer } from '../testing/server';
import { backfill } from './backfillDialog';
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

it('asks for a week of a daily schedule at first, for a day of one that fires every minute', async () => {
  const server = new FakeServer();
  server.pipelines.put({ id: 'p', name: 'delays' });
  const model = modelOf(server);
  await model.refresh();
  const days: number[] = [];
  for (const cron of ['0 6 * * *', '* * * * *']) {
    server.pipelines.putTrigger({ id: 't', pipeline_id: 'p', cron });
    const done = backfill({ model, trans: nullTranslator.load('') }, 'p', '');
    (await byRole('button', 'Cancel', await byRole('dialog'))).click();
    await done;
    const { body } = server.askedFor('pipelines/p/backfill', 'POST').at(-1)!;
    const { start, end } = body as { start: string; end: string };
    days.push((Date.parse(end) - Date.parse(start)) / 86_400_000 + 1);
    await vi.waitFor(() => expect(document.querySelector('dialog')).toBeNull());
  }
  expect(days).toEqual([7, 1]);
  model.dispose();
});
