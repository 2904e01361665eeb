/** How numbers, sizes and times are shown to a person. */

/** Four significant digits, so that columns of metrics can be read beside each other. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) {
    return String(value);
  }
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e7) {
    return String(value);
  }
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) {
    return value.toExponential(3);
  }
  return String(Number(value.toPrecision(4)));
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

/** Thousands apart, as the person's language has it. */
export function formatCount(count: number): string {
  return count.toLocaleString();
}
