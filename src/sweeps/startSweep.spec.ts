import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SpaceRequest, SweepRequest } from '../api/schema';
import type { IMlopsModel } from '../model';
import { CommandIDs } from '../model/commandIds';
import { emptyRequest } from '../model/sweepRequest';
import { modelOf } from '../testing/real';
import { allByRole, byRole, text } from '../testing/render';
import { FakeServer, infoOf, prefixOf, statusOf } from '../testing/server';
import { Starter } from './startSweep';

const PATH = 'flights/train.ipynb';
const CELLS = ['import pandas as pd', 'data = pd.read_csv("flights.csv")'];

describe('Starter', () => {
  let server: FakeServer;
  let model: IMlopsModel;
  let starter: Starter;
  let saved: string[];
  let opened: unknown[];

  beforeEach(() => {
    server = new FakeServer();
    server.notebooks.set(PATH, infoOf(PATH));
    model = modelOf(server);
    saved = [];
    opened = [];
    const commands = new CommandRegistry();
    commands.addCommand(CommandIDs.openSweep, {
      execute: args => void opened.push(args['id'])
    });
    starter = new Starter({
      app: { commands },
      model,
      trans: nullTranslator.load(''),
      save: path => Promise.resolve(void saved.push(path))
    });
  });

  afterEach(() => model.dispose());

  const ask = (change: Partial<SweepRequest> = {}) =>
    starter.start(PATH, {
      ...emptyRequest(PATH),
      space: { max_depth: '1,5,20' },
      ...change
    });
  const shareable = (change = {}) => {
    const usual = server.check;
    server.check = (request: SpaceRequest) => ({
      ...usual(request),
      prefix: prefixOf({
        end: 4,
        cells: CELLS,
        reason: 'Cell 5 uses max_depth.',
        ...change
      })
    });
  };
  const many = () => {
    server.status = statusOf({ confirm_runs: 2 });
  };
  const started = () =>
    server.askedFor('sweeps', 'POST').map(({ body }) => body as SweepRequest);
  const dialog = () => byRole('dialog');
  const answer = async (name: RegExp) =>
    (await byRole('button', name, await dialog())).click();
  const unasked = () => expect(allByRole('dialog')).toHaveLength(0);

  it('saves, starts and opens without a question where there is none', async () => {
    shareable();
    await ask();
    unasked();
    expect(saved).toEqual([PATH]);
    expect(started()).toMatchObject([{ path: PATH, shared_prefix: false }]);
    expect(opened).toEqual(['sweep-1']);
  });

  it('shows the cells to share, and starts once that is confirmed', async () => {
    shareable();
    const done = ask({ shared_prefix: true });
    const shown = await dialog();
    await text('Run the first 2 code cells once per slot?', shown);
    const list = await byRole('list', 'Code cells that run once per slot');
    expect([...list.children].map(line => line.textContent)).toEqual(CELLS);
    await text('Cell 5 uses max_depth.', shown);
    await text('What they draw at random, write and open', shown);
    expect(started()).toEqual([]);
    await answer(/Start 3 Runs/);
    await done;
    expect(started()).toMatchObject([{ shared_prefix: true }]);
  });

  it('starts nothing where a person thinks better of it, and asks again', async () => {
    shareable();
    for (let times = 0; times < 2; times++) {
      const done = ask({ shared_prefix: true });
      await answer(/Cancel/);
      await done;
    }
    expect(started()).toEqual([]);
    expect(opened).toEqual([]);
  });

  it('asks once for the same code and the same parameters that vary', async () => {
    shareable();
    const confirmed = async (change: Partial<SweepRequest> = {}) => {
      const done = ask({ shared_prefix: true, ...change });
      await answer(/Start/);
      await done;
      await vi.waitFor(unasked);
    };
    await confirmed();
    await ask({ shared_prefix: true });
    await ask({ shared_prefix: true, space: { max_depth: '2,3', rate: '1' } });
    unasked();
    await confirmed({ space: { max_depth: '2', rate: '1,2' } });
    server.notebooks.set(PATH, infoOf(PATH, { hash: 'edited' }));
    await confirmed();
    expect(started()).toHaveLength(5);
  });

  it('asks one question where there is much to start and to share', async () => {
    shareable();
    many();
    const done = ask({ shared_prefix: true });
    const shown = await dialog();
    await text('Start 3 runs?', shown);
    await text('The first runs alone', shown);
    await text('The first 2 code cells run once per slot', shown);
    await byRole('list', 'Code cells that run once per slot');
    await answer(/Start 3 Runs/);
    await done;
    await vi.waitFor(unasked);
    // the cells are known now, the number is not forgotten
    const again = ask({ shared_prefix: true });
    await text('Start 3 runs?', await dialog());
    expect(allByRole('list', /once per slot/)).toHaveLength(0);
    await answer(/Start 3 Runs/);
    await again;
    expect(started()).toHaveLength(2);
  });

  it('shares nothing where there is nothing to share, and does not ask', async () => {
    shareable({ end: 0, cells: [] });
    await ask({ shared_prefix: true });
    unasked();
    expect(started()).toMatchObject([{ shared_prefix: false }]);
  });

  it('shares nothing in a sweep of one run', async () => {
    shareable();
    await ask({ shared_prefix: true, space: { max_depth: '5' } });
    unasked();
    expect(started()).toMatchObject([{ shared_prefix: false }]);
  });
});
