import { afterEach, describe, expect, it, vi } from 'vitest';
import { pipelineRunOf } from '../../testing/records';
import { weeksOf } from './calendarWeeks';

/** At a local time of day, as the calendar is the person's own. */
function run(id: string, ...local: [number, number, number, number]) {
  const [year, month, day, hour] = local;
  return pipelineRunOf(id, 'p', {
    scheduled_at: new Date(year, month - 1, day, hour).toISOString()
  });
}

describe('weeksOf', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('is empty without runs', () => {
    expect(weeksOf([], 10)).toEqual([]);
  });

  it('goes from Monday to Sunday without a gap', () => {
    const weeks = weeksOf(
      [run('late', 2026, 11, 25, 6), run('early', 2026, 11, 6, 6)],
      10
    );
    expect(weeks).toHaveLength(4);
    expect(weeks.every(week => week.length === 7)).toBe(true);
    expect(weeks.flat().map(({ date }) => date.getDay())).toEqual([
      1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4,
      5, 6, 0
    ]);
    expect(
      weeks
        .flat()
        .filter(({ runs }) => runs.length > 0)
        .map(({ date, runs }) => [date.getDate(), runs.map(({ id }) => id)])
    ).toEqual([
      [6, ['early']],
      [25, ['late']]
    ]);
  });

  it('puts the runs of a day in the order they were meant for', () => {
    const [week] = weeksOf(
      [
        run('noon', 2026, 11, 24, 12),
        run('dawn', 2026, 11, 24, 5),
        run('night', 2026, 11, 24, 23)
      ],
      10
    );
    expect(week!.flatMap(({ runs }) => runs.map(({ id }) => id))).toEqual([
      'dawn',
      'noon',
      'night'
    ]);
  });

  it('loses no day where a clock is changed', () => {
    vi.stubEnv('TZ', 'Europe/Berlin');
    const weeks = weeksOf(
      [run('a', 2026, 3, 2, 1), run('b', 2026, 11, 30, 1)],
      60
    );
    const days = weeks
      .flat()
      .map(({ date }) => [date.getMonth(), date.getDate()].join('.'));
    expect(new Set(days).size).toBe(days.length);
    expect(weeks.flat().every(({ date }) => date.getHours() === 0)).toBe(true);
  });

  it('keeps the latest weeks', () => {
    const weeks = weeksOf(
      [run('a', 2026, 1, 5, 1), run('b', 2026, 11, 23, 1)],
      3
    );
    expect(weeks).toHaveLength(3);
    expect(weeks.at(-1)![0]!.runs.map(({ id }) => id)).toEqual(['b']);
  });
});
