/** Past runs by day and week, in the person's own time zone. */
import type { PipelineRun } from '../../api/schema';

export interface IDay {
  /** Midnight at its beginning. */
  date: Date;
  /** Earliest first. */
  runs: readonly PipelineRun[];
}

/** When a run was meant for; a backfill's lies in the past. */
export function momentOf(run: PipelineRun): string {
  return run.scheduled_at || run.created_at;
}

/** From Monday to Sunday each, oldest first, without a gap; the last `most` of them. */
export function weeksOf(
  runs: readonly PipelineRun[],
  most: number
): readonly (readonly IDay[])[] {
  const byDay = new Map<number, PipelineRun[]>();
  for (const run of runs) {
    const day = midnight(new Date(momentOf(run))).getTime();
    byDay.set(day, [...(byDay.get(day) ?? []), run]);
  }
  const days = [...byDay.keys()].sort((a, b) => a - b);
  if (days.length === 0) {
    return [];
  }
  const weeks: IDay[][] = [];
  const last = monday(new Date(days.at(-1)!));
  for (
    let week = monday(new Date(days[0]!));
    week <= last;
    week = plus(week, 7)
  ) {
    weeks.push(
      [0, 1, 2, 3, 4, 5, 6].map(index => {
        const date = plus(week, index);
        const own = byDay.get(date.getTime()) ?? [];
        return {
          date,
          runs: own.sort((a, b) => (momentOf(a) < momentOf(b) ? -1 : 1))
        };
      })
    );
  }
  return weeks.slice(-most);
}

function midnight(date: Date): Date {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate());
}

function monday(date: Date): Date {
  return plus(midnight(date), -((date.getDay() + 6) % 7));
}

/** As the calendar counts, however long a day is. */
function plus(date: Date, days: number): Date {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + days);
}
