import { nullTranslator } from '@jupyterlab/translation';
import * as React from 'react';
import { describe, expect, it, vi } from 'vitest';
import type { GraphStep, StepRun } from '../api/schema';
import { graphOf } from '../testing/graphs';
import { stepRunOf } from '../testing/records';
import { allByRole, byRole, press, render } from '../testing/render';
import { Graph } from './drawing';

const trans = nullTranslator.load('');
const GRAPH = graphOf(
  {
    collect: [],
    clean: ['collect'],
    weather: ['collect'],
    train: ['clean', 'weather'],
    publish: ['train'],
    tell: ['train']
  },
  {
    train: { sweep: true },
    publish: { when: 'train.auc > 0.7' },
    tell: { run_if: 'failed' }
  }
);

function show(
  graph: readonly GraphStep[] = GRAPH,
  steps: StepRun[] = [],
  fill = false
) {
  const opened: string[] = [];
  const seen = { selected: null as string | null };
  const { draw } = render(() => (
    <Graph
      graph={graph}
      runs={new Map(steps.map(step => [step.step, step]))}
      selected={seen.selected}
      fill={fill}
      trans={trans}
      onSelect={name => {
        seen.selected = name;
        draw();
      }}
      onOpen={name => opened.push(name)}
    />
  ));
  return { seen, opened };
}

const selected = () =>
  allByRole('option')
    .filter(node => node.getAttribute('aria-selected') === 'true')
    .map(node => node.dataset['step']);

async function go(key: string, to: string): Promise<void> {
  press(await byRole('listbox', 'Steps'), key);
  await vi.waitFor(() => expect(selected()).toEqual([to]));
}

describe('Graph', () => {
  it('has an option for each step, in words as well as drawn', async () => {
    show();
    await byRole('option', 'collect, notebook collect.ipynb');
    await byRole('option', 'train, sweep of train.ipynb, after clean, weather');
    await byRole(
      'option',
      'publish, notebook publish.ipynb, after train, condition: train.auc > 0.7'
    );
    expect(document.querySelectorAll('g[data-from]')).toHaveLength(6);
  });

  it('shows conditions on the lines', async () => {
    show();
    await byRole('listbox');
    expect(
      [...document.querySelectorAll('.jp-MlopsGraph-when')].map(
        node => node.textContent
      )
    ).toEqual(['train.auc > 0.7', 'if one failed']);
  });

  it('says state, repetition and time of each step of a run', async () => {
    show(GRAPH, [
      stepRunOf('collect', 'r', {
        state: 'succeeded',
        started_at: '2026-11-24T10:00:00Z',
        ended_at: '2026-11-24T10:00:03.2Z'
      }),
      stepRunOf('clean', 'r', { state: 'reused' }),
      stepRunOf('weather', 'r', {
        state: 'failed',
        attempt: 3,
        started_at: '2026-11-24T10:00:00Z',
        ended_at: '2026-11-24T10:01:05Z',
        message: 'gone'
      })
    ]);
    const step = async (name: RegExp) =>
      [...(await byRole('option', name)).querySelectorAll('[aria-hidden=true]')]
        .map(({ textContent }) => textContent)
        .join('');
    expect(await step(/^collect/)).toBe('collectcollect.ipynbSucceeded3.2 s');
    expect(await step(/^clean.*Reused/)).toBe('cleanclean.ipynbReused');
    expect(await step(/^weather/)).toBe(
      'weatherweather.ipynbFailedtry 31 min 05 s'
    );
    expect(await step(/^train/)).toBe('trainsweeptrain.ipynb');
  });

  it('goes along the lines by arrow keys', async () => {
    const { opened } = show();
    const list = await byRole('listbox', 'Steps');
    await go('ArrowRight', 'collect');
    await go('ArrowRight', 'clean');
    await go('ArrowDown', 'weather');
    press(list, 'ArrowDown');
    await go('ArrowRight', 'train');
    expect(list.getAttribute('aria-activedescendant')).toBe(
      (await byRole('option', /^train/)).id
    );
    await go('ArrowRight', 'publish');
    await go('ArrowLeft', 'train');
    await go('Home', 'collect');
    press(list, 'Enter');
    expect(opened).toEqual(['collect']);
  });

  it('leaves other keys alone', async () => {
    show();
    const heard = vi.fn();
    document.body.addEventListener('keydown', heard);
    const list = await byRole('listbox', 'Steps');
    press(list, 'a');
    press(list, 'ArrowRight');
    document.body.removeEventListener('keydown', heard);
    expect(heard).toHaveBeenCalledTimes(1);
  });

  it('goes down where it is to fill what is narrow, and so do the keys', async () => {
    vi.spyOn(Element.prototype, 'clientWidth', 'get').mockReturnValue(400);
    vi.spyOn(Element.prototype, 'clientHeight', 'get').mockReturnValue(700);
    show(GRAPH, [], true);
    const list = await byRole('listbox', 'Steps');
    await vi.waitFor(() =>
      expect(list.getAttribute('aria-orientation')).toBe('vertical')
    );
    await go('ArrowDown', 'collect');
    await go('ArrowDown', 'clean');
    await go('ArrowRight', 'weather');
    await go('ArrowDown', 'train');
    await go('ArrowUp', 'clean');
  });

  it('selects by click and opens by double click', async () => {
    const { opened } = show();
    const clean = await byRole('option', /^clean/);
    clean.click();
    await vi.waitFor(() => expect(selected()).toEqual(['clean']));
    expect(document.querySelectorAll('g[data-near]')).toHaveLength(2);
    clean.dispatchEvent(new MouseEvent('dblclick', { bubbles: true }));
    expect(opened).toEqual(['clean']);
  });

  it('is drawn smaller where there is less room, and as a person wants it', async () => {
    vi.spyOn(Element.prototype, 'clientWidth', 'get').mockReturnValue(600);
    show();
    const scale = () =>
      Number(
        /scale\((.*)\)/.exec(
          document.querySelector<HTMLElement>('.jp-MlopsGraph-plane')!.style
            .transform
        )?.[1]
      );
    const larger = await byRole('button', 'Draw larger');
    const fitting = scale();
    expect(fitting).toBeLessThan(1);
    expect(fitting).toBeGreaterThanOrEqual(0.4);
    larger.click();
    await vi.waitFor(() => expect(scale()).toBeCloseTo(fitting * 1.2));
    (await byRole('button', 'Show all of it')).click();
    await vi.waitFor(() => expect(scale()).toBe(fitting));
  });
});
