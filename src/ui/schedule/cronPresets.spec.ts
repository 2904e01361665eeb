import { describe, expect, it } from 'vitest';
import {
  cronOf,
  MORNING,
  presetOf,
  timeIn,
  wallTime,
  type IPreset
} from './cronPresets';

describe('presets', () => {
  it.each<[Partial<IPreset>, string]>([
    [{ preset: 'hour', time: '06:15' }, '15 * * * *'],
    [{ preset: 'day' }, '0 6 * * *'],
    [{ preset: 'day', time: '23:05' }, '5 23 * * *'],
    [{ preset: 'weekdays', time: '00:00' }, '0 0 * * 1-5'],
    [{ preset: 'week', weekday: 0 }, '0 6 * * 0'],
    [{ preset: 'month', day: 'L' }, '0 6 L * *'],
    [{ preset: 'month', day: '28' }, '0 6 28 * *']
  ])('%j is the line %s, and back', (change, cron) => {
    const preset = { ...MORNING, ...change };
    expect(cronOf(preset)).toBe(cron);
    expect(presetOf(cron)).toEqual(preset);
  });

  it.each([
    '',
    '0 6 * *',
    '0 6 * * * *',
    '*/15 * * * *',
    '0 6 31 * *',
    '0 6 0 * *',
    '0 6 * 1 *',
    '0 6 1 * 1',
    '0 6 * * 7',
    '0 24 * * *',
    '60 6 * * *',
    '0 6,18 * * *'
  ])('“%s” is none of them', cron => {
    expect(presetOf(cron).preset).toBe('custom');
  });

  it('times are shown as the clock of their zone shows them', () => {
    expect(wallTime('2026-12-01T06:00:00+09:00')).toMatch(/0?6:00/);
    expect(wallTime('2026-12-01T06:00:00+09:00')).toMatch(/Tue/);
  });

  it('times are shown by the clock of a schedule, on both sides of a change of clocks', () => {
    const berlin = (iso: string) => timeIn('Europe/Berlin', iso);
    expect(berlin('2026-03-28T05:30:00+00:00')).toMatch(/0?6:30/);
    expect(berlin('2026-03-29T04:30:00+00:00')).toMatch(/0?6:30/);
    expect(timeIn('Europe/Atlantis', '2026-03-29T04:30:00+00:00')).toMatch(
      /0?4:30/
    );
  });
});
