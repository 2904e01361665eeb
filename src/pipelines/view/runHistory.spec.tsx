import { nullTranslator } from '@jupyterlab/translation';
import * as React from 'react';
import { describe, expect, it, vi } from 'vitest';
import type { PipelineRun } from '../../api/schema';
import { pipelineRunOf } from '../../testing/records';
import { allByRole, byRole, press, render } from '../../testing/render';
import { History } from './runHistory';

/** The first of all that is listed is the newest. */
const RUNS: PipelineRun[] = [
  pipelineRunOf('r3', 'p', {
    number: 3,
    state: 'failed',
    cause: 'cron',
    scheduled_at: '2026-11-24T06:00:00Z',
    started_at: '2026-11-24T06:00:00Z',
    ended_at: '2026-11-24T06:00:05Z'
  }),
  pipelineRunOf('r2', 'p', {
    number: 2,
    state: 'succeeded',
    cause: 'cron',
    scheduled_at: '2026-11-23T06:00:00Z',
    started_at: '2026-11-23T06:00:00Z',
    ended_at: '2026-11-23T06:00:20Z'
  }),
  pipelineRunOf('r1', 'p', {
    number: 1,
    state: 'skipped',
    scheduled_at: '2026-11-20T06:00:00Z'
  })
];

function show(runs = RUNS) {
  const seen = { selected: null as string | null };
  const { draw } = render(() => (
    <History
      runs={runs}
      selected={seen.selected}
      trans={nullTranslator.load('')}
      onSelect={id => {
        seen.selected = id;
        draw();
      }}
    />
  ));
  return seen;
}

const shown = () => allByRole('option').map(node => node.dataset['run']);

describe('History', () => {
  it('has the newest run to the right, as high as it took long', async () => {
    show();
    await byRole('listbox', 'Past runs');
    expect(shown()).toEqual(['r1', 'r2', 'r3']);
    expect(
      [
        ...document.querySelectorAll<HTMLElement>('.jp-MlopsHistory-run > i')
      ].map(bar => bar.style.height)
    ).toEqual(['max(4px, 0.0%)', 'max(4px, 100.0%)', 'max(4px, 25.0%)']);
    expect(allByRole('option')[2]!.getAttribute('aria-label')).toMatch(
      /^Run 3, Failed, .*, on schedule, 5.0 s$/
    );
  });

  it('is gone about by keys', async () => {
    const seen = show();
    const list = await byRole('listbox');
    press(list, 'End');
    await vi.waitFor(() =>
      expect(list.getAttribute('aria-activedescendant')).toMatch(/r3$/)
    );
    press(list, 'ArrowLeft');
    await vi.waitFor(() => expect(seen.selected).toBe('r2'));
    await vi.waitFor(() =>
      expect(
        allByRole('option').map(node => node.getAttribute('aria-selected'))
      ).toEqual(['false', 'true', 'false'])
    );
  });

  it('goes into the days of a calendar on demand', async () => {
    const seen = show();
    (await byRole('button', 'By day')).click();
    await vi.waitFor(() =>
      expect(document.querySelectorAll('.jp-MlopsHistory-day')).toHaveLength(14)
    );
    expect(shown()).toEqual(['r1', 'r2', 'r3']);
    expect(allByRole('group')).toHaveLength(3);
    (await byRole('option', /^Run 2/)).click();
    await vi.waitFor(() => expect(seen.selected).toBe('r2'));
  });
});
