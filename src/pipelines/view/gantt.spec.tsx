import { nullTranslator } from '@jupyterlab/translation';
import * as React from 'react';
import { describe, expect, it, vi } from 'vitest';
import type { PipelineRunDetails, StepRun } from '../../api/schema';
import { graphOf } from '../../testing/graphs';
import { pipelineRunOf, stepRunOf } from '../../testing/records';
import { allByRole, byRole, nameOf, press, render } from '../../testing/render';
import { sweepOf } from '../../testing/server';
import { Gantt } from './gantt';
import { timesOf } from './ganttSpans';
import type { Attempts } from './pipelineActions';

const START = Date.parse('2026-11-24T10:00:00Z');
const iso = (seconds: number) => new Date(START + seconds * 1000).toISOString();
const ran = (
  name: string,
  from: number,
  to: number | null,
  change: Partial<StepRun> = {}
) =>
  stepRunOf(name, 'r', {
    state: to === null ? 'running' : 'succeeded',
    started_at: iso(from),
    ended_at: to === null ? null : iso(to),
    ...change
  });

function detailsOf(steps: StepRun[], ended: number | null): PipelineRunDetails {
  return {
    run: pipelineRunOf('r', 'p', {
      state: ended === null ? 'running' : 'succeeded',
      started_at: iso(0),
      ended_at: ended === null ? null : iso(ended)
    }),
    steps,
    graph: graphOf({ publish: ['train'], collect: [], train: ['collect'] })
  };
}

/** Kind, state and seconds of each span, by step. */
function spans(
  details: PipelineRunDetails,
  now: number,
  attempts: Attempts = new Map()
) {
  return Object.fromEntries(
    timesOf(details, attempts, START + now * 1000).rows.map(row => [
      row.name,
      row.spans.map(({ kind, state, start, end }) => [
        kind,
        state,
        (start - START) / 1000,
        (end - START) / 1000
      ])
    ])
  );
}

describe('timesOf', () => {
  it('says how long a step waited after what it waits for', () => {
    expect(
      spans(detailsOf([ran('collect', 1, 10), ran('train', 12, 30)], 30), 99)
    ).toEqual({
      collect: [
        ['wait', 'waiting', 0, 1],
        ['try', 'succeeded', 1, 10]
      ],
      train: [
        ['wait', 'waiting', 10, 12],
        ['try', 'succeeded', 12, 30]
      ],
      publish: []
    });
  });

  it('goes on until now while the run does', () => {
    const details = detailsOf(
      [
        ran('collect', 0, 10),
        ran('train', 10, null),
        stepRunOf('publish', 'r')
      ],
      null
    );
    expect(spans(details, 25)['train']).toEqual([['try', 'running', 10, 25]]);
    expect(spans(details, 25)['publish']).toEqual([]);
    expect(timesOf(details, new Map(), START + 25_000).end).toBe(
      START + 25_000
    );
  });

  it('shows earlier tries, and the wait for the next', () => {
    const attempts = new Map([
      [
        's1',
        sweepOf('s1', { state: 'failed', started_at: iso(0), ended_at: iso(4) })
      ]
    ]);
    const running = detailsOf(
      [
        ran('collect', 9, 20, { attempt: 2, failures: 1, sweeps: ['s1', 's2'] })
      ],
      20
    );
    expect(spans(running, 99, attempts)['collect']).toEqual([
      ['try', 'failed', 0, 4],
      ['wait', 'waiting', 4, 9],
      ['try', 'succeeded', 9, 20]
    ]);
    // where the step's beginning is that of its first try, its last sweep knows
    const again = detailsOf(
      [
        ran('collect', 0, 20, {
          attempt: 2,
          failures: 1,
          sweeps: ['s1', 's2']
        })
      ],
      20
    );
    const both = new Map([
      ...attempts,
      ['s2', sweepOf('s2', { state: 'running', started_at: iso(7) })] as const
    ]);
    expect(spans(again, 99, both)['collect']).toEqual([
      ['try', 'failed', 0, 4],
      ['wait', 'waiting', 4, 7],
      ['try', 'succeeded', 7, 20]
    ]);
    const waiting = detailsOf(
      [
        stepRunOf('collect', 'r', {
          attempt: 2,
          failures: 1,
          sweeps: ['s1', 's2'],
          started_at: iso(0)
        })
      ],
      null
    );
    expect(spans(waiting, 6, attempts)['collect']).toEqual([
      ['try', 'failed', 0, 4],
      ['wait', 'waiting', 4, 6]
    ]);
  });

  it('marks what was reused or skipped', () => {
    expect(
      spans(
        detailsOf(
          [
            stepRunOf('collect', 'r', { state: 'reused', ended_at: iso(1) }),
            stepRunOf('train', 'r', { state: 'skipped', ended_at: iso(2) })
          ],
          2
        ),
        9
      )
    ).toMatchObject({
      collect: [['mark', 'reused', 1, 1]],
      train: [['mark', 'skipped', 2, 2]]
    });
  });

  it('has the steps in the order in which they wait for each other', () => {
    expect(Object.keys(spans(detailsOf([], 1), 1))).toEqual([
      'collect',
      'train',
      'publish'
    ]);
  });
});

describe('Gantt', () => {
  it('has a row for each step, in words as well as drawn, and is gone about by keys', async () => {
    const seen = { selected: null as string | null };
    const opened: string[] = [];
    const { draw } = render(() => (
      <Gantt
        details={detailsOf([ran('collect', 0, 10), ran('train', 10, 40)], 40)}
        attempts={new Map()}
        selected={seen.selected}
        trans={nullTranslator.load('')}
        onSelect={name => {
          seen.selected = name;
          draw();
        }}
        onOpen={name => opened.push(name)}
      />
    ));
    const list = await byRole('listbox', 'Steps over time');
    expect(allByRole('option').map(nameOf)).toEqual([
      'collect, Succeeded, Succeeded in 10 s',
      'train, Succeeded, Succeeded in 30 s',
      'publish, Waiting'
    ]);
    const bar = document.querySelector<HTMLElement>(
      '[data-step=train] [data-kind=try]'
    )!;
    expect([bar.style.left, bar.style.width]).toEqual(['25%', '75%']);
    press(list, 'ArrowDown');
    await vi.waitFor(() => expect(seen.selected).toBe('collect'));
    press(list, 'End');
    await vi.waitFor(() =>
      expect(list.getAttribute('aria-activedescendant')).toMatch(/publish$/)
    );
    press(list, 'ArrowUp');
    await vi.waitFor(() => expect(seen.selected).toBe('train'));
    await vi.waitFor(() =>
      expect(list.getAttribute('aria-activedescendant')).toMatch(/train$/)
    );
    press(list, 'Enter');
    expect(opened).toEqual(['train']);
  });
});
