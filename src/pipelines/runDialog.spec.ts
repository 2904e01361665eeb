import { nullTranslator } from '@jupyterlab/translation';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { IMlopsModel } from '../model';
import { modelOf } from '../testing/real';
import { versionOf } from '../testing/records';
import { byRole, type } from '../testing/render';
import { FakeServer } from '../testing/server';
import { runAsked } from './runDialog';

const trans = nullTranslator.load('');

describe('the dialog of a run by hand', () => {
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

  it('runs with other parameters and another version', async () => {
    server.pipelines.versions.push({
      ...versionOf('p', 2),
      note: 'deeper'
    });
    // a run's parameters, with what its schedule and its watched files gave it
    const had = { month: 7, scheduled_time: '2026-01-31', trigger_files: [] };
    const done = runAsked(model, 'p', had, trans);
    const month = (await byRole('textbox', 'month')) as HTMLInputElement;
    expect(month.value).toBe('7');
    type(month, '8');
    (await byRole('button', 'Run', await byRole('dialog'))).click();
    expect((await done)?.pipeline_id).toBe('p');
    expect(server.askedFor('pipelines/p/runs', 'POST')[0]?.body).toEqual({
      parameters: { month: 8 },
      version: 1
    });
    await vi.waitFor(() => expect(document.querySelector('dialog')).toBeNull());
  });
});
