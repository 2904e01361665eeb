import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { IMlopsModel } from '../model';
import { modelOf } from '../testing/real';
import { versionOf } from '../testing/records';
import { byRole, pick, text, type } from '../testing/render';
import { FakeServer } from '../testing/server';
import { backfill } from './backfillDialog';
import { curlLine, schedule } from './scheduleDialog';

const trans = nullTranslator.load('');

describe('dialogs of what fires a pipeline', () => {
  let server: FakeServer;
  let model: IMlopsModel;

  beforeEach(() => {
    server = new FakeServer();
    model = modelOf(server);
    server.pipelines.put({ id: 'p', name: 'delays' });
    const version = versionOf('p', 1);
    server.pipelines.versions.push({
      ...version,
      definition: { ...version.definition, parameters: { month: 1 } }
    });
  });

  afterEach(() => model.dispose());

  const dialog = () => byRole('dialog');
  const press = async (name: string) =>
    (await byRole('button', name, await dialog())).click();
  const drawn = () => new Promise(resolve => setTimeout(resolve, 20));
  const fill = async (role: string, name: string, value: string) => {
    type(await byRole(role, name), value);
    await drawn();
  };
  const set = (input: HTMLInputElement, value: string) => {
    type(input, value);
    return drawn();
  };

  describe('schedule', () => {
    const begin = (trigger = '') =>
      schedule({ commands: new CommandRegistry(), model, trans }, 'p', trigger);

    it('adds one, with parameters of its own', async () => {
      const done = begin();
      await text('Schedule “delays”');
      await fill('textbox', 'month', '12');
      await press('Schedule');
      await done;
      expect([...server.pipelines.triggers.values()]).toMatchObject([
        { kind: 'cron', cron: '0 6 * * *', parameters: { month: 12 } }
      ]);
    });

    it('changes nothing of one but what was said', async () => {
      server.pipelines.putTrigger({
        id: 't',
        pipeline_id: 'p',
        cron: '*/15 * * * *'
      });
      const done = begin('t');
      await text('When “delays” Runs');
      const line = await byRole('textbox', 'Cron line');
      expect((line as HTMLInputElement).value).toBe('*/15 * * * *');
      pick(await byRole('combobox', 'While it still runs'), 'skip');
      await drawn();
      await press('Save');
      await done;
      expect(server.askedFor('triggers/t', 'PATCH')[0]?.body).toEqual({
        overlap: 'skip'
      });
    });

    it('says nothing of what was mended while it was being refused', async () => {
      const done = begin();
      await text('Schedule “delays”');
      const isAsked = ({ method, path }: { method: string; path: string }) =>
        method === 'POST' && path === 'pipelines/p/triggers';
      server.refuse = asked =>
        isAsked(asked)
          ? {
              status: 400,
              body: { message: 'No such zone.', fields: { zone: 'is unknown' } }
            }
          : undefined;
      server.hold = isAsked;
      await press('Schedule');
      await drawn();
      await fill('textbox', 'Time zone', 'Asia/Tokyo');
      server.release();
      await drawn();
      expect((await dialog()).textContent).not.toContain('is unknown');
      server.hold = () => false;
      await press('Schedule');
      await text('is unknown');
      server.refuse = () => undefined;
      await fill('textbox', 'Time zone', 'Asia/Seoul');
      await press('Schedule');
      await done;
      expect([...server.pipelines.triggers.values()]).toMatchObject([
        { zone: 'Asia/Seoul' }
      ]);
    });

    it('refuses one that is gone', async () => {
      await expect(begin('gone')).rejects.toThrow('removed meanwhile');
    });

    it('shows a call’s token once, with what calls it', async () => {
      const done = begin();
      pick(await byRole('combobox', 'When'), 'http');
      await drawn();
      await press('Schedule');
      await text('Its Token, Shown This Once');
      await text(
        "-H 'Authorization: Bearer secret' -H 'Content-Type: application/json'"
      );
      await text('mlops/triggers/trigger-1/call');
      await press('Close');
      await done;
    });

    it('offers other pipelines, and not the own one', async () => {
      server.pipelines.put({ id: 'up', name: 'collect' });
      await model.refresh();
      const done = begin();
      pick(await byRole('combobox', 'When'), 'pipeline');
      const after = (await byRole('combobox', 'After')) as HTMLSelectElement;
      expect([...after.options].map(({ value }) => value)).toEqual(['', 'up']);
      await press('Cancel');
      await done;
    });
  });

  it('a line for a shell names address and token', () => {
    expect(curlLine('http://here/call', 'abc')).toBe(
      `curl -X POST -H 'Authorization: Bearer abc' -H 'Content-Type: application/json' -d '{"parameters": {}}' 'http://here/call'`
    );
  });

  describe('backfill', () => {
    const begin = () => backfill({ model, trans }, 'p', '');
    const bodies = () =>
      server.askedFor('pipelines/p/backfill', 'POST').map(({ body }) => body);
    const days = (count: number) =>
      Array.from(
        { length: count },
        (_, index) =>
          `2026-11-${String(index + 1).padStart(2, '0')}T06:00:00+01:00`
      );

    beforeEach(() => {
      server.pipelines.putTrigger({ id: 't', pipeline_id: 'p' });
    });

    it('counts first, and runs what is agreed to', async () => {
      server.pipelines.backfill = { times: days(12), known: 3 };
      const done = begin();
      await text('12 times, 3 of them done already');
      await text('… 6 more …');
      expect(bodies()).toMatchObject([{ trigger_id: 't', dry_run: true }]);
      await press('Run Them');
      expect(await done).toBe(9);
      expect(bodies().at(-1)).toMatchObject({ dry_run: false });
    });

    it('counts again when the range changes', async () => {
      server.pipelines.backfill = { times: days(1), known: 0 };
      const done = begin();
      await text('1 time');
      server.pipelines.backfill = { times: days(2), known: 0 };
      const [start] = (await dialog()).querySelectorAll<HTMLInputElement>(
        'input[type=date]'
      );
      await set(start!, '2026-11-01');
      await text('2 times');
      expect(bodies().at(-1)).toMatchObject({
        start: '2026-11-01',
        dry_run: true
      });
      await press('Cancel');
      expect(await done).toBeNull();
      expect(
        bodies().every(body => (body as { dry_run: boolean }).dry_run)
      ).toBe(true);
    });

    it('runs nothing where all was done already', async () => {
      server.pipelines.backfill = { times: days(2), known: 2 };
      const done = begin();
      await press('Run Them');
      await text('There is nothing to run between these days.');
      await press('Cancel');
      await done;
    });

    it('says why a range cannot be counted', async () => {
      server.refuse = ({ path }) =>
        path.endsWith('/backfill')
          ? { status: 400, body: { message: 'The end lies before the start.' } }
          : undefined;
      const done = begin();
      await text('The end lies before the start.');
      await press('Cancel');
      await done;
    });

    it('needs a schedule', async () => {
      server.pipelines.triggers.clear();
      await expect(begin()).rejects.toThrow('has no schedule');
    });
  });
});
