import { nullTranslator } from '@jupyterlab/translation';
import * as React from 'react';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Sweep } from '../../api/schema';
import type { SweepShelf } from '../../model';
import { allByRole, byRole, press, render, text } from '../../testing/render';
import { sweepOf } from '../../testing/server';
import { SweepList } from './sweepList';

const trans = nullTranslator.load('jupyter_mlops');

describe('SweepList', () => {
  const onOpen = vi.fn();
  const onStop = vi.fn();
  const onRestore = vi.fn();
  let sweeps: Sweep[];

  function show(shelf: SweepShelf = 'current', title = '') {
    return render(() => (
      <SweepList
        {...{ sweeps, shelf, title, trans, onOpen, onStop, onRestore }}
      />
    ));
  }

  beforeEach(() => vi.clearAllMocks());

  it('draws nothing where there is none', async () => {
    sweeps = [];
    const { node } = show('archived', 'Archived');
    await Promise.resolve();
    expect(node.textContent).toBe('');
  });

  it('says how a sweep stands', async () => {
    sweeps = [
      sweepOf('s', {
        name: 'train · 14:02',
        total: 30,
        counts: { succeeded: 19, failed: 2, running: 2 },
        objective: { metric: 'auc', direction: 'maximize' },
        best_value: 0.74123
      })
    ];
    show();
    await text(/train · 14:02.*auc.*0\.7412.*21\/30.*2 failed/);
    const bar = await byRole('progressbar', '21 of 30 runs');
    expect(bar.getAttribute('aria-valuenow')).toBe('21');
    expect(
      bar.querySelector<HTMLElement>('[data-state=failed]')?.style.width
    ).toMatch(/^6\.66/);
  });

  it('opens and stops', async () => {
    sweeps = [sweepOf('s', { name: 'night' })];
    show();
    (await byRole('button', 'Stop “night”')).click();
    expect(onStop).toHaveBeenCalledWith('s');
    (await byRole('button', /^night/)).click();
    expect(onOpen).toHaveBeenCalledWith('s');
  });

  it('has no stop button once it is over, a disabled one while it stops', async () => {
    sweeps = [sweepOf('s', { name: 'night', stop_requested: true })];
    const { draw } = show();
    const stop = (await byRole('button', 'Stop “night”')) as HTMLButtonElement;
    expect(stop.disabled).toBe(true);
    await text('stopping');
    sweeps = [sweepOf('s', { name: 'night', state: 'stopped' })];
    draw();
    await text('stopped');
    expect(allByRole('button', 'Stop “night”')).toHaveLength(0);
  });

  it.each<[Partial<Sweep>, string]>([
    [{ state: 'queued' }, 'starting'],
    [{ state: 'starting', message: 'starting workers' }, 'starting workers'],
    [{ state: 'paused' }, 'paused'],
    [
      { state: 'paused', message: 'three runs failed alike' },
      'paused: three runs failed alike'
    ],
    [{ state: 'running', pause_requested: true }, 'pausing'],
    [{ state: 'failed', message: 'The kernel is gone.' }, 'The kernel is gone.']
  ])('notes %j as “%s”', async (change, note) => {
    sweeps = [sweepOf('s', change)];
    const { node } = show();
    await text(note);
    expect(node.querySelector('.jp-MlopsSweep-note')?.textContent).toBe(note);
  });

  it('offers to restore what is deleted', async () => {
    sweeps = [
      sweepOf('s', {
        state: 'succeeded',
        deleted_at: new Date().toISOString()
      })
    ];
    show('deleted', 'Deleted');
    await text('deleted');
    (await byRole('button', 'Restore')).click();
    expect(onRestore).toHaveBeenCalledWith('s');
    await byRole('list', 'Deleted');
  });

  it('draws forty, and more when asked', async () => {
    sweeps = Array.from({ length: 100 }, (_, index) => sweepOf(`s${index}`));
    show();
    (await byRole('button', 'Show 40 more')).click();
    const more = await byRole('button', 'Show 20 more');
    expect(document.querySelectorAll('li')).toHaveLength(80);
    more.click();
    await vi.waitFor(() =>
      expect(document.querySelectorAll('li')).toHaveLength(100)
    );
    expect(allByRole('button', /^Show/)).toHaveLength(0);
  });

  it('is one stop of the Tab key; arrows go through rows and their buttons', async () => {
    sweeps = ['a', 'b', 'c'].map(id => sweepOf(id, { name: id }));
    const { draw } = show();
    const stops = () =>
      allByRole('button').filter(button => button.tabIndex === 0);
    const first = await byRole('button', /^a/);
    expect(stops()).toEqual([first]);
    first.focus();
    const go = (name: string | RegExp, ...keys: string[]) => {
      for (const key of keys) {
        press(document.activeElement as HTMLElement, key);
      }
      expect(stops()).toEqual(allByRole('button', name));
      expect(stops()).toEqual([document.activeElement]);
    };
    go(/^b/, 'ArrowDown');
    go('Stop “b”', 'ArrowRight');
    go('Stop “c”', 'ArrowDown');
    go(/^a/, 'ArrowDown', 'Home');
    go(/^c/, 'End');
    // the row that has the focus goes: the one in its place has it
    sweeps = sweeps.slice(0, 2);
    draw();
    await vi.waitFor(() => expect(allByRole('button')).toHaveLength(4));
    go(/^b/);
  });
});
