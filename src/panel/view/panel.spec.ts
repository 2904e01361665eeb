import { NotebookTracker } from '@jupyterlab/notebook';
import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CommandIDs } from '../../model/commandIds';
import { MlopsModel } from '../../model/model';
import { allByRole, byRole, text } from '../../testing/render';
import { FakeServer, statusOf } from '../../testing/server';
import { MlopsPanel } from './panel';

describe('MlopsPanel', () => {
  let server: FakeServer;
  let model: MlopsModel;
  let panel: MlopsPanel;
  let commands: CommandRegistry;

  function make(): void {
    model = new MlopsModel({ client: server.client });
    commands = new CommandRegistry();
    panel = new MlopsPanel({
      model,
      commands,
      tracker: new NotebookTracker({ namespace: 'notebook' }),
      translator: nullTranslator,
      localPath: path => path
    });
    Widget.attach(panel, document.body);
  }

  beforeEach(() => {
    server = new FakeServer();
    make();
  });

  afterEach(() => {
    vi.useRealTimers();
    panel.dispose();
    model.dispose();
  });

  it('has four sections, each of which says what it is for while empty', async () => {
    await model.refresh();
    await byRole('button', 'Compute');
    expect(
      [...document.querySelectorAll('h2')].map(title =>
        title.textContent?.trim()
      )
    ).toEqual(['Notebook', 'Sweeps', 'Pipelines', 'Compute']);
    await text('Open a notebook to sweep it.');
    await text('No sweeps yet.');
    await text('No pipelines yet: promote a run.');
    await text('2 slots');
  });

  it('says that there is nothing also where the status comes first', async () => {
    server.hold = ({ path }) => path === 'changes';
    const fetched = model.refresh();
    await text('2 slots');
    await text('Looking…');
    server.release();
    await fetched;
    await text('No sweeps yet.');
  });

  it('folds sections to their titles, and says which are', async () => {
    const said: string[][] = [];
    panel.foldedChanged.connect((_, folded) => said.push(folded));
    const compute = await byRole('button', 'Compute');
    expect(compute.getAttribute('aria-expanded')).toBe('true');
    compute.click();
    (await byRole('button', 'Sweeps')).click();
    compute.click();
    expect(said).toEqual([['compute'], ['sweeps', 'compute'], ['sweeps']]);
    panel.folded = ['pipelines'];
    await vi.waitFor(() =>
      expect(
        [...document.querySelectorAll('h2 > button')].map(button =>
          button.getAttribute('aria-expanded')
        )
      ).toEqual(['true', 'true', 'false', 'true'])
    );
    // what a person did not do is not said
    expect(said).toHaveLength(3);
  });

  it('takes the focus when it is activated', async () => {
    const title = await byRole('button', 'Notebook');
    MessageLoop.sendMessage(panel, Widget.Msg.ActivateRequest);
    expect(document.activeElement).toBe(title);
  });

  it('shows a sweep as soon as the model has it', async () => {
    await model.refresh();
    server.put({ id: 's', name: 'night' });
    await model.refresh();
    await byRole('button', /^night/);
    server.put({ id: 's', state: 'succeeded', counts: { succeeded: 10 } });
    await model.refresh();
    await text('10/10');
  });

  it('says why sweeps cannot be read, and shows those it knows', async () => {
    server.put({ id: 's', name: 'night' });
    await model.refresh();
    server.offline = true;
    await model.refresh();
    await vi.waitFor(() =>
      expect(allByRole('alert')[0]?.textContent).toBe(
        'The Jupyter server does not answer.'
      )
    );
    await byRole('button', /^night/);
    server.offline = false;
    await model.refresh();
    await vi.waitFor(() => expect(allByRole('alert')).toHaveLength(0));
  });

  it('acts by commands', async () => {
    const executed: unknown[] = [];
    for (const id of [
      CommandIDs.openSweep,
      CommandIDs.stopSweep,
      CommandIDs.openMlflow,
      CommandIDs.showServiceLog
    ]) {
      commands.addCommand(id, {
        execute: args => void executed.push([id, args['id']])
      });
    }
    server.put({ id: 's', name: 'night' });
    await model.refresh();
    (await byRole('button', 'Stop “night”')).click();
    (await byRole('button', /^night/)).click();
    (await byRole('button', 'MLflow ↗')).click();
    (await byRole('button', 'log')).click();
    expect(executed).toEqual([
      [CommandIDs.stopSweep, 's'],
      [CommandIDs.openSweep, 's'],
      [CommandIDs.openMlflow, undefined],
      [CommandIDs.showServiceLog, undefined]
    ]);
  });

  it('says why a target is off and what the service does', async () => {
    await text('No NVIDIA device is seen here.');
    await text('starts with a sweep');
    const status = statusOf();
    server.status = {
      ...status,
      service: {
        ...status.service,
        state: 'ready',
        doing: 'night: 3 of 10 runs',
        mlflow: 'failed',
        mlflow_message: 'http://elsewhere refuses.'
      },
      targets: [{ ...status.targets[0]!, state: 'ready', busy: 1 }],
      warnings: ['The store lies on a network file system.']
    };
    panel.hide();
    panel.show();
    await text('night: 3 of 10 runs');
    await text('does not answer');
    await text('http://elsewhere refuses.');
    await text('1/2 busy');
    await text('The store lies on a network file system.');
  });

  it('asks for no status while it is hidden', async () => {
    vi.useFakeTimers();
    // the poll of the panel before began with the real clock
    panel.dispose();
    model.dispose();
    make();
    const asked = async (seconds: number) => {
      const before = server.askedFor('status').length;
      await vi.advanceTimersByTimeAsync(seconds * 1000);
      return server.askedFor('status').length - before;
    };
    expect(await asked(60)).toBeGreaterThan(10);
    panel.hide();
    await vi.advanceTimersByTimeAsync(100);
    expect(await asked(60)).toBe(0);
    panel.show();
    expect(await asked(1)).toBeGreaterThan(0);
  });
});
