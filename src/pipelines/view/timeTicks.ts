/** Round times along an axis. */

const SECOND = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30];
const MINUTE = [1, 2, 5, 10, 20, 30].map(count => count * 60);
const HOUR = [1, 2, 3, 6, 12].map(count => count * 3600);
const STEPS = [...SECOND, ...MINUTE, ...HOUR];
const DAY = 86_400;

export interface ITick {
  /** Seconds from the beginning. */
  at: number;
  label: string;
}

/** Ticks from 0 on, at most `most` of them; at 1, 2 or 5 of something that people count in. */
export function ticks(span: number, most: number): ITick[] {
  const apart = Math.max(span, 0.01) / Math.max(1, most - 1);
  const step =
    STEPS.find(size => size >= apart) ?? DAY * oneTwoFive(apart / DAY);
  const count = Math.floor(span / step + 1e-9);
  return Array.from({ length: count + 1 }, (_, index) => {
    const at = index * step;
    return { at, label: elapsed(at, step) };
  });
}

function oneTwoFive(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
  return [1, 2, 5, 10].map(n => n * power).find(size => size >= least)!;
}

/** In the unit of the step, so that all along an axis read alike. */
function elapsed(seconds: number, step: number): string {
  if (seconds === 0) {
    return '0';
  }
  if (step < 1) {
    const digits = step < 0.1 ? 2 : 1;
    return `${seconds.toFixed(digits)} s`;
  }
  if (step < 60) {
    const minutes = Math.floor(seconds / 60);
    const rest = Math.round(seconds % 60);
    return minutes === 0
      ? `${rest} s`
      : `${minutes}:${String(rest).padStart(2, '0')} min`;
  }
  if (step < 3600) {
    const hours = Math.floor(seconds / 3600);
    const rest = Math.round((seconds % 3600) / 60);
    return hours === 0
      ? `${rest} min`
      : `${hours}:${String(rest).padStart(2, '0')} h`;
  }
  return step < DAY
    ? `${Math.round(seconds / 3600)} h`
    : `${Math.round(seconds / DAY)} d`;
}
