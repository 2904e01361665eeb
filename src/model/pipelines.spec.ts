import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { stepRunOf } from '../testing/records';
import { FakeServer } from '../testing/server';
import type { IModelChange } from '.';
import { MlopsModel } from './model';

describe('pipelines in the model', () => {
  let server: FakeServer;
  let model: MlopsModel;
  let changes: IModelChange[];

  beforeEach(() => {
    server = new FakeServer();
    model = new MlopsModel({ client: server.client });
    changes = [];
    model.changed.connect((_, change) => void changes.push(change));
  });

  afterEach(() => model.dispose());

  it('come with the sweeps in one fetch, by name, the deleted ones apart', async () => {
    server.pipelines.put({ id: '1', name: 'delays' });
    server.pipelines.put({ id: '2', name: 'arrivals' });
    server.pipelines.put({ id: '3', name: 'old', deleted_at: '2026-01-01' });
    await model.refresh();
    expect(server.asked).toHaveLength(1);
    const names = (deleted = false) =>
      model.pipelines(deleted).map(({ name }) => name);
    expect(names()).toEqual(['arrivals', 'delays']);
    expect(names(true)).toEqual(['old']);
    expect([...(changes[0]?.pipelines ?? [])]).toEqual(['1', '2', '3']);
    server.pipelines.put({ id: '2', paused: true });
    await model.refresh();
    expect([...(changes[1]?.pipelines ?? [])]).toEqual(['2']);
  });

  it('have details and runs while somebody watches', async () => {
    server.pipelines.put({ id: 'p' });
    server.pipelines.putRun({ id: 'r1', pipeline_id: 'p', number: 1 });
    await model.refresh();
    expect(model.pipelineDetails('p')).toBeNull();
    const watch = model.watchPipeline('p');
    await model.refresh();
    expect(model.pipelineDetails('p')?.pipeline.id).toBe('p');
    expect(changes.at(-1)?.pipelines.has('p')).toBe(true);

    const known = server.revision;
    server.pipelines.putRun({ id: 'r2', pipeline_id: 'p', number: 2 });
    await model.refresh();
    expect(server.askedFor('pipelines/p/runs').at(-1)?.query.get('since')).toBe(
      String(known)
    );
    expect(model.pipelineRuns('p').map(({ id }) => id)).toEqual(['r2', 'r1']);

    const before = server.asked.length;
    await model.refresh();
    expect(server.asked).toHaveLength(before + 1);

    watch.dispose();
    expect(model.pipelineRuns('p')).toEqual([]);
    server.pipelines.put({ id: 'p' });
    await model.refresh();
    expect(server.asked).toHaveLength(before + 2);
  });

  it('have the steps of a watched run, as they change', async () => {
    server.pipelines.put({ id: 'p' });
    server.pipelines.putRun({ id: 'r', pipeline_id: 'p' });
    await model.refresh();
    const watch = model.watchPipelineRun('r');
    await model.refresh();
    expect(model.pipelineRun('r')?.steps).toEqual([]);
    server.pipelines.steps.set('s', stepRunOf('train', 'r'));
    server.pipelines.putRun({ id: 'r', pipeline_id: 'p', state: 'running' });
    await model.refresh();
    expect(model.pipelineRun('r')?.run.state).toBe('running');
    expect(model.pipelineRun('r')?.steps).toHaveLength(1);
    expect([...(changes.at(-1)?.pipelines ?? [])].sort()).toEqual(['p', 'r']);
    watch.dispose();
    expect(model.pipelineRun('r')).toBeNull();
  });

  it('say that there is no such pipeline or run', async () => {
    const gone = model.watchPipeline('gone');
    const away = model.watchPipelineRun('away');
    expect(gone.missing).toBe(false);
    await model.refresh();
    expect(gone.missing).toBe(true);
    expect(away.missing).toBe(true);
    expect(model.error).toBe('');
    const asked = server.asked.length;
    await model.refresh();
    expect(server.asked).toHaveLength(asked + 1);
  });

  it('are fetched again after the server was away', async () => {
    server.pipelines.put({ id: 'p' });
    await model.refresh();
    const watch = model.watchPipeline('p');
    server.refuse = ({ path }) =>
      path === 'pipelines/p'
        ? { status: 500, body: { message: 'The store is locked.' } }
        : undefined;
    await model.refresh();
    expect(watch.error).toBe('The store is locked.');
    // of this pipeline alone: everything else is current
    expect(model.error).toBe('');
    server.refuse = () => undefined;
    await model.refresh();
    expect(watch.error).toBe('');
    expect(model.pipelineDetails('p')).not.toBeNull();
  });

  it('tell of each run once when it ends, and not of those that were over', async () => {
    const { pipelines } = server;
    pipelines.put({ id: 'p' });
    pipelines.putRun({ id: '1', pipeline_id: 'p', state: 'failed' });
    await model.refresh();
    pipelines.putRun({ id: '2', pipeline_id: 'p', number: 2 });
    await model.refresh();
    pipelines.putRun({ id: '2', pipeline_id: 'p', state: 'failed' });
    // begun and over between two looks
    pipelines.putRun({
      id: '3',
      pipeline_id: 'p',
      number: 3,
      state: 'succeeded'
    });
    await model.refresh();
    pipelines.put({ id: 'p', name: 'renamed' });
    await model.refresh();
    expect(
      changes.map(({ pipelinesEnded }) =>
        pipelinesEnded.map(({ pipeline, run }) => [pipeline, run.id])
      )
    ).toEqual([
      [],
      [],
      [
        ['p', '2'],
        ['p', '3']
      ],
      []
    ]);
  });

  it('are looked at again when another service fires them', async () => {
    server.pipelines.put({ id: 'p' });
    await model.refresh();
    model.watchPipeline('p');
    await model.refresh();
    server.pipelines.keeper = { keeper: 'Another one.', keeper_ends: false };
    server.status = {
      ...server.status,
      service: { ...server.status.service, state: 'ready', pid: 7 }
    };
    model.watchStatus();
    await vi.waitFor(() =>
      expect(model.pipelineDetails('p')?.keeper).toBe('Another one.')
    );
  });

  it('are forgotten where another store stands behind the server', async () => {
    server.pipelines.put({ id: 'p' });
    server.pipelines.putRun({ id: 'r', pipeline_id: 'p' });
    await model.refresh();
    const watch = model.watchPipeline('p');
    await model.refresh();
    server.pipelines.all.clear();
    server.revision = 0;
    await model.refresh();
    expect(model.pipelines()).toEqual([]);
    expect(model.pipelineRuns('p')).toEqual([]);
    expect(watch.missing).toBe(true);
  });

  describe('the sweep of a step', () => {
    it('is known while it is watched, and fetched until it is over', async () => {
      server.put({ id: 'own' });
      server.put({ id: 's', pipeline_run: 'r', step: 'train' });
      server.putRun({ id: 'run', sweep_id: 's' });
      await model.refresh();
      expect(model.sweep('s')).toBeUndefined();
      model.watchRuns('s');
      await model.refresh();
      expect(model.sweep('s')?.step).toBe('train');
      expect(model.runs('s')).toHaveLength(1);
      expect(model.sweeps().map(({ id }) => id)).toEqual(['own']);
      server.put({ id: 's', state: 'succeeded' });
      await model.refresh();
      expect(model.sweep('s')?.state).toBe('succeeded');
      // the end of a step is said by its pipeline
      expect(changes.every(({ ended }) => ended.size === 0)).toBe(true);
      const asked = server.askedFor('sweeps/s').length;
      server.put({ id: 'own', name: 'other' });
      await model.refresh();
      expect(server.askedFor('sweeps/s')).toHaveLength(asked);
    });

    it('that is gone is looked for once', async () => {
      model.watchRuns('gone');
      await vi.waitFor(() => expect(model.runsLoaded('gone')).toBe(true));
      server.put({ id: 'own' });
      await model.refresh();
      expect(
        server.asked.filter(({ path }) => path === 'sweeps/gone')
      ).toHaveLength(1);
      expect(model.error).toBe('');
    });
  });
});
