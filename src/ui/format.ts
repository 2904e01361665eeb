/** How numbers, sizes and times are shown to a person. */

/**
 * Four significant digits.
 *
 * @param decimals how many digits stand behind the point, where the number is one of a column
 */
export function formatNumber(value: number, decimals?: number): string {
  if (!Number.isFinite(value)) {
    return String(value);
  }
  if (isShort(value)) {
    return decimals === undefined
      ? String(Number(value.toPrecision(Number.isInteger(value) ? 7 : 4)))
      : value.toFixed(decimals);
  }
  return value.toExponential(3);
}

/** Whether a number is written without an exponent. */
function isShort(value: number): boolean {
  const size = Math.abs(value);
  return size === 0 || (size >= 1e-3 && size < 1e7);
}

/** Digits behind the point that the numbers of a column need, so that each shows its four significant ones. */
export function decimalsOf(values: readonly number[]): number {
  const short = values.filter(isShort);
  const smallest = short.reduce(
    (least, value) => (value === 0 ? least : Math.min(least, Math.abs(value))),
    1e7
  );
  const most = Math.max(0, 3 - Math.floor(Math.log10(smallest)));
  let decimals = 0;
  for (const value of short) {
    const [, behind = ''] = formatNumber(value).split('.');
    decimals = Math.max(decimals, behind.length);
    if (decimals >= most) {
      break;
    }
  }
  return decimals;
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** Time of day for today, the date before. */
export function formatTime(iso: string, now = new Date()): string {
  const time = new Date(iso);
  return time.toDateString() === now.toDateString()
    ? time.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
    : time.toLocaleDateString([], { month: 'short', day: 'numeric' });
}

/** Date and time of day, to the second, with the zone. */
export function fullTime(iso: string | null): string {
  return iso
    ? new Date(iso).toLocaleString([], {
        dateStyle: 'medium',
        timeStyle: 'long'
      })
    : '';
}

/** Time of day, with the weekday within a week of now, else with the date: `06:00`, `Tue 06:00`, `Dec 1, 06:00`. */
export function formatMoment(iso: string, now = new Date()): string {
  const time = new Date(iso);
  const clock = time.toLocaleTimeString([], {
    hour: '2-digit',
    minute: '2-digit'
  });
  if (time.toDateString() === now.toDateString()) {
    return clock;
  }
  const near = Math.abs(time.getTime() - now.getTime()) < 6 * 86_400_000;
  return near
    ? `${time.toLocaleDateString([], { weekday: 'short' })} ${clock}`
    : time.toLocaleDateString([], { month: 'short', day: 'numeric' }) +
        `, ${clock}`;
}

/** Thousands apart, as the person's language has it. */
export function formatCount(count: number): string {
  return count.toLocaleString();
}

/** As a person says it: `8.3 s`, `42 s`, `3 min 05 s`, `2 h 07 min`. */
export function formatDuration(seconds: number, tenths = true): string {
  if (tenths && seconds < 9.95) {
    return `${seconds.toFixed(1)} s`;
  }
  const whole = Math.round(seconds);
  if (whole < 60) {
    return `${whole} s`;
  }
  if (whole < 3600) {
    return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  }
  const minutes = Math.round(whole / 60);
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
}

/** A part of a run, which may be short: `21 ms`, `0.21 s`, then as a duration. */
export function formatSpan(seconds: number): string {
  if (seconds < 0.0995) {
    return `${Math.round(seconds * 1000)} ms`;
  }
  return seconds < 0.995 ? `${seconds.toFixed(2)} s` : formatDuration(seconds);
}

/** No more exact than it can be known: `about 40 s`, `about 3 min`, `about 2 h 10 min`. */
export function roughly(seconds: number): string {
  if (seconds < 5) {
    return '5 s';
  }
  if (seconds < 55) {
    return `${Math.ceil(seconds / 5) * 5} s`;
  }
  if (seconds < 3570) {
    return `${Math.max(1, Math.round(seconds / 60))} min`;
  }
  const minutes = Math.round(seconds / 600) * 10;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}

/** A value in one line, as JSON where it is no text. */
export function valueText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

const PYTHON_WORDS = new Map<unknown, string>([
  [true, 'True'],
  [false, 'False'],
  [null, 'None']
]);

/**
 * A value as a notebook writes it.
 *
 * @param language of its kernel, lower case: as JSON where it is not Python; empty where it is not known
 */
export function literalText(value: unknown, language: string): string {
  if (language !== 'python' && language !== '') {
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) {
    return `[${value.map(item => literalText(item, language)).join(', ')}]`;
  }
  if (value !== null && typeof value === 'object') {
    const items = Object.entries(value).map(
      ([key, item]) => `${JSON.stringify(key)}: ${literalText(item, language)}`
    );
    return `{${items.join(', ')}}`;
  }
  return PYTHON_WORDS.get(value) ?? JSON.stringify(value);
}
