import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import type { INotebookTracker } from '@jupyterlab/notebook';
import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { Signal } from '@lumino/signaling';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { IMlopsModel } from '../model';
import { CommandIDs } from '../model/commandIds';
import { modelOf } from '../testing/real';
import { byRole, text, type } from '../testing/render';
import { FakeServer } from '../testing/server';
import { addPipelineCommands } from './commands';
import { announceFailures } from './failureNotices';

const trans = nullTranslator.load('');

describe('commands on pipelines', () => {
  let server: FakeServer;
  let model: IMlopsModel;
  let commands: CommandRegistry;
  /** What the pointer is over while a context menu is open. */
  let pointed: HTMLElement | undefined;
  let current: { context?: unknown } | null;
  let wanted: boolean;

  beforeEach(async () => {
    server = new FakeServer();
    model = modelOf(server);
    commands = new CommandRegistry();
    pointed = undefined;
    current = null;
    wanted = true;
    const app = {
      commands,
      contextMenuHitTest: (test: (node: HTMLElement) => boolean) =>
        pointed && test(pointed) ? pointed : undefined,
      shell: {
        get currentWidget() {
          return current;
        },
        widgets: () => (current ? [current] : [])
      }
    } as unknown as JupyterFrontEnd;
    const tracker = {
      currentWidget: null,
      currentChanged: new Signal({})
    } as unknown as INotebookTracker;
    addPipelineCommands({
      app,
      model,
      tracker,
      browser: null,
      trans,
      localPath: path => (path.startsWith('mlops:') ? null : path)
    });
    announceFailures(app, model, trans, () => wanted);
    server.pipelines.put({
      id: 'p',
      name: 'delays',
      versions: 2,
      version: 2,
      triggers: 1
    });
    await model.refresh();
  });

  afterEach(() => {
    model.dispose();
    Notification.dismiss();
  });

  const said = () =>
    Notification.manager.notifications.map(({ message }) => message);
  const bodies = (path: string, method: string) =>
    server.askedFor(path, method).map(({ body }) => body);

  it.each<[string, object, object]>([
    [CommandIDs.pausePipeline, {}, { paused: true }],
    [CommandIDs.renamePipeline, { name: 'other ' }, { name: 'other' }],
    [CommandIDs.rollbackPipeline, { version: 1 }, { version: 1 }]
  ])('%s with %j asks for %j', async (id, args, body) => {
    await commands.execute(id, { id: 'p', ...args });
    expect(bodies('pipelines/p', 'PATCH')).toEqual([body]);
    // it is known here without waiting for an event
    expect(model.pipeline('p')).toMatchObject(body);
  });

  it('pauses what is not paused, and resumes what is', async () => {
    const can = (id: string) => commands.isEnabled(id, { id: 'p' });
    expect(can(CommandIDs.resumePipeline)).toBe(false);
    await commands.execute(CommandIDs.pausePipeline, { id: 'p' });
    expect(can(CommandIDs.pausePipeline)).toBe(false);
    expect(can(CommandIDs.resumePipeline)).toBe(true);
    await commands.execute(CommandIDs.resumePipeline, { id: 'p' });
    expect(can(CommandIDs.pausePipeline)).toBe(true);
    // nothing fires it any more
    server.pipelines.put({ id: 'p', triggers: 0 });
    await model.refresh();
    expect(can(CommandIDs.pausePipeline)).toBe(false);
  });

  it('a rollback can be taken back, one to the same version is none', async () => {
    await commands.execute(CommandIDs.rollbackPipeline, {
      id: 'p',
      version: 2
    });
    expect(bodies('pipelines/p', 'PATCH')).toEqual([]);
    await commands.execute(CommandIDs.rollbackPipeline, {
      id: 'p',
      version: 1
    });
    const [notice] = Notification.manager.notifications;
    expect(notice?.message).toBe('“delays” runs version 1 from now on.');
    notice?.options.actions?.[0]?.callback({} as MouseEvent);
    await vi.waitFor(() => expect(model.pipeline('p')?.version).toBe(2));
  });

  it('deletes recoverably', async () => {
    await commands.execute(CommandIDs.deletePipeline, { id: 'p' });
    expect(model.pipelines()).toEqual([]);
    expect(commands.isEnabled(CommandIDs.runPipeline, { id: 'p' })).toBe(false);
    const [notice] = Notification.manager.notifications;
    notice?.options.actions?.[0]?.callback({} as MouseEvent);
    await vi.waitFor(() => expect(model.pipelines()).toHaveLength(1));
  });

  it('runs now, with parameters and version where they are given', async () => {
    await commands.execute(CommandIDs.runPipeline, { id: 'p' });
    await commands.execute(CommandIDs.runPipeline, {
      id: 'p',
      parameters: { month: 3 },
      version: 1
    });
    expect(bodies('pipelines/p/runs', 'POST')).toEqual([
      {},
      { parameters: { month: 3 }, version: 1 }
    ]);
  });

  it('stops the live run of the pipeline whose menu is open', async () => {
    expect(commands.isVisible(CommandIDs.stopPipelineRun)).toBe(false);
    pointed = document.createElement('li');
    pointed.dataset['pipelineId'] = 'p';
    expect(commands.isVisible(CommandIDs.stopPipelineRun)).toBe(false);
    server.pipelines.putRun({ id: 'r', pipeline_id: 'p', state: 'running' });
    await model.refresh();
    await commands.execute(CommandIDs.stopPipelineRun);
    expect(server.askedFor('pipeline-runs/r/stop', 'POST')).toHaveLength(1);
  });

  it('retries what failed, or all from a step on', async () => {
    server.pipelines.putRun({ id: 'r', pipeline_id: 'p', state: 'failed' });
    await commands.execute(CommandIDs.retryPipelineRun, { id: 'r' });
    await commands.execute(CommandIDs.retryPipelineRun, {
      id: 'r',
      step: 'train'
    });
    expect(bodies('pipeline-runs/r/retry', 'POST')).toEqual([
      { step: '' },
      { step: 'train' }
    ]);
  });

  it('changes alerts and retention in place, and tries the addresses', async () => {
    const done = commands.execute(CommandIDs.changePolicies, { id: 'p' });
    type(await byRole('textbox', 'Alerts to'), 'json://here');
    await vi.waitFor(() => byRole('group', 'Alert on'));
    type(await byRole('spinbutton', 'Keep runs'), '7');
    (await byRole('button', 'Save')).click();
    await done;
    expect(bodies('pipelines/p', 'PATCH')).toEqual([
      {
        alerts: {
          to: ['json://here'],
          on: ['failure', 'recovery'],
          slow: null
        },
        retention: { runs: 7, days: null }
      }
    ]);
    server.refuse = ({ path }) =>
      path === 'pipelines/p/test-alert'
        ? { status: 200, body: { addresses: 2, problems: ['Address 2: no.'] } }
        : undefined;
    await commands.execute(CommandIDs.testAlert, { id: 'p' });
    expect(said()).toEqual(['Address 2: no.']);
  });

  it('does not take an empty name without a word', async () => {
    const done = commands.execute(CommandIDs.renamePipeline, { id: 'p' });
    const input = (await byRole('textbox')) as HTMLInputElement;
    type(input, '');
    const rename = (await byRole('button', 'Rename')) as HTMLButtonElement;
    await vi.waitFor(() => expect(rename.disabled).toBe(true));
    (await byRole('button', 'Cancel')).click();
    await done;
    expect(bodies('pipelines/p', 'PATCH')).toEqual([]);
  });

  it('says what is refused', async () => {
    server.refuse = ({ method }) =>
      method === 'POST'
        ? { status: 409, body: { message: 'Its notebook is broken.' } }
        : undefined;
    await commands.execute(CommandIDs.runPipeline, { id: 'p' });
    expect(said()).toEqual(['Its notebook is broken.']);
  });

  describe('promote', () => {
    it('is about a notebook or pipeline file in front, and no other', () => {
      const enabled = () => commands.isEnabled(CommandIDs.promote);
      expect(enabled()).toBe(false);
      for (const [path, wanted] of [
        ['train.ipynb', true],
        ['delays.pipeline.yaml', true],
        ['other.yaml', false],
        ['mlops:s/1.ipynb', false]
      ] as const) {
        current = { context: { path, model: { dirty: false } } };
        expect(enabled()).toBe(wanted);
      }
      expect(commands.isEnabled(CommandIDs.promote, { runId: 'r' })).toBe(true);
    });

    it('saves before, and promotes nothing that cannot be saved', async () => {
      const context = {
        path: 'train.ipynb',
        model: { dirty: true, readOnly: false },
        save: vi.fn((): Promise<void> =>
          Promise.reject(new Error('No space left'))
        )
      };
      current = { context };
      await commands.execute(CommandIDs.promote);
      expect(said()).toEqual([
        'train.ipynb could not be saved, so nothing was started: No space left'
      ]);
      context.save.mockImplementation(() => {
        context.model.dirty = false;
        return Promise.resolve();
      });
      const done = commands.execute(CommandIDs.promote);
      await text('train.ipynb and the code it imports');
      (await byRole('button', 'Cancel', await byRole('dialog'))).click();
      await done;
    });
  });

  describe('runs that fail', () => {
    it('are told, once a pipeline', async () => {
      for (const [id, number] of [
        ['a', 1],
        ['b', 2],
        ['c', 3]
      ] as const) {
        server.pipelines.putRun({ id, pipeline_id: 'p', number });
      }
      await model.refresh();
      server.pipelines.putRun({ id: 'a', pipeline_id: 'p', state: 'failed' });
      await model.refresh();
      server.pipelines.putRun({ id: 'b', pipeline_id: 'p', state: 'failed' });
      server.pipelines.putRun({ id: 'c', pipeline_id: 'p', state: 'failed' });
      await model.refresh();
      expect(said()).toEqual(['3 runs of “delays” failed.']);
      // what was read is not told again
      Notification.dismiss();
      server.pipelines.putRun({ id: 'd', pipeline_id: 'p', number: 4 });
      await model.refresh();
      server.pipelines.putRun({ id: 'd', pipeline_id: 'p', state: 'failed' });
      await model.refresh();
      expect(said()).toEqual(['Run 4 of “delays” failed.']);
    });

    it('are told no more once they went on to a good end', async () => {
      const put = (state: 'running' | 'failed' | 'succeeded') => {
        server.pipelines.putRun({ id: 'a', pipeline_id: 'p', state });
        return model.refresh();
      };
      await put('running');
      await put('failed');
      expect(said()).toEqual(['Run 1 of “delays” failed.']);
      await put('running');
      await put('succeeded');
      expect(said()).toEqual([]);
    });

    it('are told as the settings are at the time', async () => {
      server.pipelines.putRun({ id: 'r', pipeline_id: 'p', number: 1 });
      await model.refresh();
      wanted = false;
      server.pipelines.putRun({ id: 'r', pipeline_id: 'p', state: 'failed' });
      await model.refresh();
      expect(said()).toEqual([]);
    });

    it('are not told of successes and stops', async () => {
      server.pipelines.putRun({ id: 'a', pipeline_id: 'p' });
      server.pipelines.putRun({ id: 'b', pipeline_id: 'p', number: 2 });
      await model.refresh();
      server.pipelines.putRun({
        id: 'a',
        pipeline_id: 'p',
        state: 'succeeded'
      });
      server.pipelines.putRun({ id: 'b', pipeline_id: 'p', state: 'stopped' });
      await model.refresh();
      expect(said()).toEqual([]);
    });
  });
});
