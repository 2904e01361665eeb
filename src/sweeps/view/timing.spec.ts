import { describe, expect, it } from 'vitest';
import type { Run, Sweep } from '../../api/schema';
import { runOf, sweepOf } from '../../testing/server';
import { formatDuration, roughly } from '../../ui/format';
import { runSeconds, timeLeft } from './timing';

const START = Date.parse('2026-01-01T00:00:00Z');
const at = (seconds: number) => new Date(START + seconds * 1000).toISOString();
const live = (index: number, began: number): Run => ({
  ...runOf(`r-${index}`, 's'),
  index,
  state: 'running',
  started_at: at(began)
});
const sweep = (fields: Partial<Sweep> = {}): Sweep => ({
  ...sweepOf('s'),
  state: 'running',
  confirmed: true,
  total: 30,
  counts: { succeeded: 20, running: 2 },
  run_seconds: 10,
  slots_open: 2,
  pause_requested: false,
  stop_requested: false,
  ...fields
});

describe('runSeconds', () => {
  it('is nothing before the start and never less than no time', () => {
    expect(runSeconds(runOf('r', 's'), START)).toBeNull();
    expect(runSeconds(live(0, 5), START)).toBe(0);
    expect(runSeconds({ ...live(0, 0), ended_at: at(12.5) }, START)).toBe(12.5);
  });
});

describe('timeLeft', () => {
  it('shares what is left among the slots', () => {
    // eight wait for 10 s each, two have 4 s and 6 s to go
    const runs = [live(0, 14), live(1, 16)];
    expect(timeLeft(sweep(), runs, START + 20_000)).toBe((80 + 4 + 6) / 2);
  });

  it('is at least what the last ones take', () => {
    const last = sweep({ counts: { succeeded: 29, running: 1 } });
    expect(timeLeft(last, [live(0, 0)], START + 3_000)).toBe(7);
    const waiting = sweep({ counts: { succeeded: 29 }, slots_open: 8 });
    expect(timeLeft(waiting, [], START)).toBe(10);
  });

  it('counts nothing for runs that take longer than others', () => {
    const last = sweep({ counts: { succeeded: 29, running: 1 } });
    expect(timeLeft(last, [live(0, 0)], START + 60_000)).toBe(0);
  });

  it('is not known before a run is done and while nothing is handed out', () => {
    for (const fields of [
      { run_seconds: null },
      { state: 'paused' },
      { state: 'succeeded' },
      { pause_requested: true },
      { stop_requested: true },
      { slots_open: 0 }
    ] satisfies Partial<Sweep>[]) {
      expect(timeLeft(sweep(fields), [], START)).toBeNull();
    }
  });
});

describe('durations', () => {
  it('are as exact as they are worth', () => {
    expect(formatDuration(8.26)).toBe('8.3 s');
    expect(formatDuration(8.26, false)).toBe('8 s');
    expect(formatDuration(9.97)).toBe('10 s');
    expect(formatDuration(59.6)).toBe('1 min 00 s');
    expect(formatDuration(185)).toBe('3 min 05 s');
    expect(formatDuration(7623)).toBe('2 h 07 min');
  });

  it('are rough where they are guessed', () => {
    expect(roughly(0)).toBe('5 s');
    expect(roughly(37)).toBe('40 s');
    expect(roughly(58)).toBe('1 min');
    expect(roughly(170)).toBe('3 min');
    expect(roughly(3599)).toBe('1 h');
    expect(roughly(7800)).toBe('2 h 10 min');
  });
});
