import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PromoteRequest } from '../api/schema';
import type { IMlopsModel } from '../model';
import { CommandIDs } from '../model/commandIds';
import { modelOf } from '../testing/real';
import { versionOf } from '../testing/records';
import {
  allByRole,
  byRole,
  descriptionOf,
  pick,
  text,
  type
} from '../testing/render';
import { FakeServer } from '../testing/server';
import { promote } from './promotionDialog';
import type { IPromoted } from './view/promotion';

describe('promote', () => {
  let server: FakeServer;
  let model: IMlopsModel;
  let commands: CommandRegistry;
  let opened: unknown[];

  beforeEach(() => {
    server = new FakeServer();
    model = modelOf(server);
    opened = [];
    commands = new CommandRegistry();
    commands.addCommand(CommandIDs.openPipeline, {
      execute: args => void opened.push(args['id'])
    });
    commands.addCommand(CommandIDs.installService, {
      execute: () => model.client.installService()
    });
  });

  afterEach(() => model.dispose());

  const begin = (promoted: IPromoted = { path: 'flights/train.ipynb' }) =>
    promote(
      { app: { commands }, model, trans: nullTranslator.load('') },
      promoted
    );
  const asked = () =>
    server
      .askedFor('pipelines', 'POST')
      .map(({ body }) => body as PromoteRequest);
  const dialog = () => byRole('dialog');
  const press = async (name: string) =>
    (await byRole('button', name, await dialog())).click();
  const more = async () => {
    await press('▸ More');
    await byRole('textbox', 'Note');
  };
  const drawn = () => new Promise(resolve => setTimeout(resolve, 20));
  const fill = async (role: string, name: string, value: string) => {
    type(await byRole(role, name), value);
    await drawn();
  };

  it('is one press from a daily schedule, and opens what it made', async () => {
    const done = begin();
    await text('flights/train.ipynb and the code it imports');
    await press('Promote');
    await done;
    expect(asked()).toMatchObject([
      {
        path: 'flights/train.ipynb',
        name: 'train',
        pipeline_id: '',
        schedule: { kind: 'cron', cron: '0 6 * * *', enabled: true },
        alerts: { to: [], on: ['failure', 'recovery'] },
        retention: { runs: null, days: null }
      }
    ]);
    expect(opened).toEqual(['pipeline-1']);
    expect(model.pipeline('pipeline-1')?.name).toBe('train');
  });

  it('makes nothing where a person thinks better of it', async () => {
    const done = begin();
    await press('Cancel');
    await done;
    expect(asked()).toEqual([]);
    expect(opened).toEqual([]);
  });

  it('names the run or sweep whose best one is promoted', async () => {
    server.put({ id: 's', name: 'night', path: 'train.ipynb' });
    server.putRun({ id: 'r', sweep_id: 's', index: 4, metrics: { auc: 0.9 } });
    let done = begin({ runId: 'r' });
    await text('Run 5 of “night”');
    await press('Promote');
    await done;
    await model.refresh();
    // it is the second version of what was made from that notebook, or would be
    done = begin({ sweepId: 's' });
    await text('The best run of “night”');
    await press('Cancel');
    await done;
    server.put({
      id: 's',
      best_run_id: 'r',
      objective: { metric: 'auc', direction: 'maximize' }
    });
    await model.refresh();
    done = begin({ sweepId: 's' });
    await text('Run 5 of “night”');
    await text('It is the best run: auc is 0.9.');
    await press('Promote');
    await done;
    expect(asked()).toMatchObject([{ run_id: 'r' }, { sweep_id: 's' }]);
    expect(asked()[0]).not.toHaveProperty('path');
  });

  it('stays open and says beside the field what is refused', async () => {
    server.refuse = ({ method, path }) =>
      method === 'POST' && path === 'pipelines'
        ? {
            status: 400,
            body: {
              message: 'There is a pipeline of that name.',
              fields: { name: 'There is a pipeline of that name.' }
            }
          }
        : undefined;
    const done = begin();
    await press('Promote');
    const name = await byRole('textbox', 'Name');
    await vi.waitFor(() =>
      expect(descriptionOf(name)).toBe('There is a pipeline of that name.')
    );
    // said once, where it belongs
    expect((await dialog()).querySelectorAll('.jp-MlopsProblem')).toHaveLength(
      0
    );
    server.refuse = () => undefined;
    await fill('textbox', 'Name', 'other');
    expect(descriptionOf(name)).toBe('');
    await press('Promote');
    await done;
    expect(opened).toEqual(['pipeline-1']);
  });

  it('says what is refused and belongs to no field, and opens what hides one', async () => {
    let fields: Record<string, string> = {};
    server.refuse = ({ method, path }) =>
      method === 'POST' && path === 'pipelines'
        ? { status: 400, body: { message: 'The disk is full.', fields } }
        : undefined;
    const done = begin();
    await press('Promote');
    await text('The disk is full.');
    fields = { 'alerts.to': 'That is no address.' };
    await press('Promote');
    const to = await byRole('textbox', 'Alerts to');
    expect(descriptionOf(to)).toBe('That is no address.');
    await press('Cancel');
    await done;
  });

  it('takes all else from under “More”', async () => {
    const done = begin();
    await more();
    await fill('textbox', 'Note', 'first');
    await fill('spinbutton', 'Retries', '2');
    await fill('spinbutton', 'Minutes at most', '1.5');
    await fill('textbox', 'Outputs', 'auc, rows');
    await fill('spinbutton', 'Keep runs', '30');
    pick(await byRole('combobox', 'If packages changed'), 'refuse');
    await drawn();
    pick(await byRole('combobox', 'While it still runs'), 'skip');
    await drawn();
    await press('Promote');
    await done;
    expect(asked()).toMatchObject([
      {
        note: 'first',
        retries: 2,
        timeout: 90,
        outputs: ['auc', 'rows'],
        environment: 'refuse',
        retention: { runs: 30, days: null },
        schedule: { overlap: 'skip' }
      }
    ]);
  });

  it('leaves to a pipeline file what the file says', async () => {
    const done = begin({ path: 'delays.pipeline.yaml' });
    await more();
    expect(allByRole('spinbutton', 'Retries')).toHaveLength(0);
    await text('are said in the pipeline’s file');
    await press('Promote');
    await done;
    expect(asked()[0]).toMatchObject({
      path: 'delays.pipeline.yaml',
      name: ''
    });
    expect(asked()[0]).not.toHaveProperty('alerts');
    expect(asked()[0]).not.toHaveProperty('retries');
  });

  it('adds a version to the pipeline of the same file, which keeps its schedules and policies', async () => {
    server.pipelines.put({
      id: 'p',
      name: 'delays',
      path: 'flights/train.ipynb',
      versions: 3
    });
    const version = versionOf('p', 1);
    server.pipelines.versions.push({
      ...version,
      definition: {
        ...version.definition,
        steps: {
          train: {
            notebook: 'train.ipynb',
            retries: 4,
            timeout: 120,
            outputs: []
          }
        } as never,
        alerts: {
          to: ['json://here', { env: 'MAIL', keyring: '', file: '' }],
          on: ['failure'],
          slow: 60
        }
      }
    });
    await model.refresh();
    const done = begin();
    const becomes = await byRole('combobox', 'Becomes');
    expect(becomes.textContent).toBe('version 4 of “delays”');
    expect(allByRole('textbox', 'Name')).toHaveLength(0);
    await more();
    const retries = (await byRole('spinbutton', 'Retries')) as HTMLInputElement;
    await vi.waitFor(() => expect(retries.value).toBe('4'));
    await press('Promote');
    await done;
    expect(asked()).toMatchObject([
      {
        pipeline_id: 'p',
        name: '',
        schedule: null,
        retries: 4,
        timeout: 120,
        alerts: {
          to: ['json://here', { env: 'MAIL' }],
          on: ['failure'],
          slow: 60
        }
      }
    ]);
  });

  it('shows the run’s values beside those of the version that fires, and no other notebook’s pipeline', async () => {
    for (const [id, path] of [
      ['p', 'train.ipynb'],
      ['other', 'other.ipynb']
    ] as const) {
      server.pipelines.put({ id, name: id, path, versions: 1 });
    }
    const version = versionOf('p', 1);
    server.pipelines.versions.push({
      ...version,
      definition: {
        ...version.definition,
        parameters: { depth: 3, early: true, old: 1 }
      }
    });
    server.put({
      id: 's',
      name: 'night',
      path: 'train.ipynb',
      language: 'python',
      defaults: { early: true, rate: 0.1 }
    });
    server.putRun({ id: 'r', sweep_id: 's', parameters: { depth: 5 } });
    await model.refresh();
    const done = begin({ runId: 'r' });
    await text(/depth5.*version 1 has 3/);
    await text(/earlyTrue\s*rate0\.1/);
    await text('version 1 does not have it');
    const becomes = await byRole('combobox', 'Becomes');
    expect(becomes.textContent).toBe('version 2 of “p”');
    await press('Cancel');
    await done;
  });

  it('says what fires it, and installs the service where none outlives the login', async () => {
    const done = begin();
    await text('ends with your login');
    await press('Install service');
    await text('whether or not you are logged in');
    expect(server.askedFor('service/keep', 'POST')).toHaveLength(1);
    expect(allByRole('button', 'Install service')).toHaveLength(0);
    await press('Cancel');
    await done;
  });

  it('says why no service can be installed', async () => {
    server.pipelines.keep = {
      installed: false,
      possible: false,
      unit: '',
      message: 'Nothing runs systemd here.'
    };
    const done = begin();
    await text('Nothing runs systemd here.');
    expect(allByRole('button', 'Install service')).toHaveLength(0);
    await press('Cancel');
    await done;
  });
});
