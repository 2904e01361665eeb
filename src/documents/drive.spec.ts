import { nullTranslator } from '@jupyterlab/translation';
import type { INotebookContent } from '@jupyterlab/nbformat';
import { beforeEach, describe, expect, it } from 'vitest';
import { FakeServer, runOf, sweepOf } from '../testing/server';
import { frozenPath, MlopsDrive, parsePath, runPath } from './drive';

const trans = nullTranslator.load('');

function notebook(...counts: (number | null)[]): INotebookContent {
  return {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {},
    cells: counts.map(execution_count => ({
      cell_type: 'code',
      source: '1',
      metadata: {},
      outputs: [],
      execution_count
    }))
  };
}

describe('paths', () => {
  const sweep = { ...sweepOf('s1'), path: 'deep/er/train.ipynb' };
  const run = { ...runOf('s1-2', 's1'), index: 2 };

  it('end in what the tab is called', () => {
    expect(runPath(sweep, run, trans)).toBe(
      'mlops:s1/s1-2/train · run 3.ipynb'
    );
    expect(frozenPath(sweep, trans)).toBe(
      'mlops:s1/as-started/train · as started.ipynb'
    );
  });

  it('name a run or the frozen notebook, and else nothing', () => {
    expect(parsePath('s1/s1-2/train · run 3.ipynb')).toEqual({
      sweep: 's1',
      run: 's1-2'
    });
    expect(parsePath('s1/as-started/train · as started.ipynb')).toEqual({
      sweep: 's1',
      run: null
    });
    expect(parsePath('s1/s1-2')).toBeNull();
    expect(parsePath('s1/s1-2/x.txt')).toBeNull();
    expect(parsePath('')).toBeNull();
  });
});

describe('MlopsDrive', () => {
  let server: FakeServer;
  let drive: MlopsDrive;
  const path = 's1/s1-2/train · run 3.ipynb';

  beforeEach(() => {
    server = new FakeServer();
    drive = new MlopsDrive(server.client, trans);
    server.put({ id: 's1' });
    server.putRun({ id: 's1-2', sweep_id: 's1', state: 'running' });
  });

  /** Answer for notebooks; null stands for one that is not there. */
  function answer(notebooks: Record<string, INotebookContent | null>): void {
    server.refuse = ({ path: asked }) => {
      if (!(asked in notebooks)) {
        return undefined;
      }
      const body = notebooks[asked];
      return body
        ? { status: 200, body }
        : { status: 404, body: { message: 'No notebook yet.' } };
    };
  }

  it('reads an executed notebook that cannot be written', async () => {
    answer({ 'runs/s1-2/notebook': notebook(1, null) });
    const model = await drive.get(path);
    expect(model).toMatchObject({
      path,
      name: 'train · run 3.ipynb',
      type: 'notebook',
      format: 'json',
      writable: false
    });
  });

  it('does not fetch the content where it is not asked for', async () => {
    const model = await drive.get(path, { content: false });
    expect(model.content).toBeNull();
    expect(server.askedFor('runs/s1-2/notebook')).toHaveLength(0);
  });

  it('has the frozen notebook until something is executed', async () => {
    answer({
      'runs/s1-2/notebook': null,
      'sweeps/s1/notebook': notebook(null, null, null)
    });
    const model = await drive.get(path);
    expect((model.content as INotebookContent).cells).toHaveLength(3);
  });

  it('says what is missing once the run is over', async () => {
    server.putRun({ id: 's1-2', sweep_id: 's1', state: 'stopped' });
    answer({ 'runs/s1-2/notebook': null });
    await expect(drive.get(path)).rejects.toMatchObject({
      message: 'No notebook yet.',
      response: { status: 404 }
    });
  });

  it('reads the notebook as the sweep was started with it', async () => {
    answer({ 'sweeps/s1/notebook': notebook(null) });
    const model = await drive.get('s1/as-started/x.ipynb');
    expect((model.content as INotebookContent).cells).toHaveLength(1);
    expect(model.writable).toBe(false);
  });

  it('has folders, which are empty', async () => {
    expect(await drive.get('s1/s1-2')).toMatchObject({
      type: 'directory',
      content: []
    });
    await expect(drive.get('s1/s1-2/deeper/x.txt')).rejects.toMatchObject({
      response: { status: 404 }
    });
  });

  it('refuses every change with a sentence', async () => {
    for (const refused of [
      drive.save(),
      drive.rename(),
      drive.delete(),
      drive.copy(),
      drive.newUntitled(),
      drive.createCheckpoint()
    ]) {
      await expect(refused).rejects.toThrow(/cannot be changed/);
    }
  });

  it('is downloaded from where it is kept', async () => {
    expect(await drive.getDownloadUrl(path)).toMatch(
      /\/mlops\/runs\/s1-2\/notebook$/
    );
  });
});
