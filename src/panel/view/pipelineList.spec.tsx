import { nullTranslator } from '@jupyterlab/translation';
import * as React from 'react';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Pipeline } from '../../api/schema';
import { CommandIDs } from '../../model/commandIds';
import { markOf, pipelineOf } from '../../testing/records';
import { allByRole, byRole, render, text } from '../../testing/render';
import { PipelineList } from './pipelineList';

const trans = nullTranslator.load('jupyter_mlops');

describe('PipelineList', () => {
  const execute = vi.fn(() => Promise.resolve());
  let pipelines: Pipeline[];

  function show(deleted = false) {
    return render(() => (
      <PipelineList {...{ pipelines, deleted, trans, execute }} />
    ));
  }

  beforeEach(() => vi.clearAllMocks());

  it('says how the last runs went, each by a sign with a name', async () => {
    pipelines = [
      pipelineOf('p', {
        name: 'delays',
        recent: [
          markOf({ id: '1', number: 1, state: 'succeeded', seconds: 62 }),
          markOf({ id: '2', number: 2, state: 'failed' })
        ]
      })
    ];
    const { node } = show();
    await text('delays');
    const marks = [...node.querySelectorAll('[role=img]')];
    expect(marks.map(mark => mark.getAttribute('data-state'))).toEqual([
      'succeeded',
      'failed'
    ]);
    expect(marks[0]?.getAttribute('aria-label')).toMatch(
      /^Run 1, succeeded, .*1 min 02 s$/
    );
    const [ok, failed] = marks.map(mark =>
      mark.querySelector('path')?.getAttribute('d')
    );
    expect(ok).not.toBe(failed);
  });

  it('shows the newest runs where there are many', async () => {
    pipelines = [
      pipelineOf('p', {
        recent: Array.from({ length: 20 }, (_, index) =>
          markOf({ id: String(index), number: index + 1 })
        )
      })
    ];
    const { node } = show();
    await text('p');
    const marks = [...node.querySelectorAll('[role=img]')];
    expect(marks).toHaveLength(8);
    expect(marks.at(-1)?.getAttribute('aria-label')).toMatch(/^Run 20,/);
  });

  it.each<[Partial<Pipeline>, string | RegExp]>([
    [{}, 'by hand'],
    [{ triggers: 1 }, 'when triggered'],
    [{ paused: true, next_at: '2099-01-01T06:00:00+00:00' }, 'paused'],
    [{ next_at: '2099-01-01T06:00:00+00:00' }, /next .*\d\d:00/],
    [{ message: 'numpy 1.0 → 2.0' }, 'numpy 1.0 → 2.0'],
    [{}, 'no run yet']
  ])('says of %j “%s”', async (change, wanted) => {
    pipelines = [pipelineOf('p', change)];
    show();
    await text(wanted);
  });

  it('opens, runs and pauses', async () => {
    pipelines = [pipelineOf('p', { name: 'delays', triggers: 1 })];
    const { draw } = show();
    (await byRole('button', /^delays/)).click();
    (await byRole('button', 'Run “delays” now')).click();
    (await byRole('button', 'Pause the schedules of “delays”')).click();
    expect(execute.mock.calls).toEqual([
      [CommandIDs.openPipeline, 'p'],
      [CommandIDs.runPipeline, 'p'],
      [CommandIDs.pausePipeline, 'p']
    ]);
    // nothing fires it
    pipelines = [pipelineOf('p', { name: 'delays' })];
    draw();
    await vi.waitFor(() =>
      expect(allByRole('button', /^Pause/)).toHaveLength(0)
    );
  });

  it('stops the newest run that goes on, and only one that does', async () => {
    pipelines = [
      pipelineOf('p', {
        name: 'delays',
        recent: [
          markOf({ id: 'r1', number: 1, state: 'running' }),
          markOf({ id: 'r2', number: 2, state: 'succeeded' })
        ]
      })
    ];
    const { draw } = show();
    (await byRole('button', 'Stop run 1 of “delays”')).click();
    expect(execute).toHaveBeenCalledWith(CommandIDs.stopPipelineRun, 'r1');
    pipelines = [pipelineOf('p', { name: 'delays', paused: true })];
    draw();
    (await byRole('button', 'Resume')).click();
    expect(execute).toHaveBeenLastCalledWith(CommandIDs.resumePipeline, 'p');
    expect(allByRole('button', /^Stop/)).toHaveLength(0);
  });

  it('offers to restore what is deleted, and nothing else', async () => {
    pipelines = [pipelineOf('p', { deleted_at: new Date().toISOString() })];
    show(true);
    (await byRole('button', 'Restore')).click();
    expect(execute).toHaveBeenCalledWith(CommandIDs.restorePipeline, 'p');
    await byRole('list', 'Deleted');
    expect(allByRole('button', /^Run/)).toHaveLength(0);
  });
});
