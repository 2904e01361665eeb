/** Schedules that need no cron line to be written, and the lines that they are. */

export type Preset = 'hour' | 'day' | 'weekdays' | 'week' | 'month' | 'custom';

export interface IPreset {
  preset: Preset;
  /** `HH:MM`; of an hourly one only the minutes count. */
  time: string;
  /** 0 is Sunday. */
  weekday: number;
  /** Day of the month; `L` is its last. */
  day: string;
}

export const MORNING: IPreset = {
  preset: 'day',
  time: '06:00',
  weekday: 1,
  day: '1'
};

/** The cron line of a preset; of a custom one there is none to be told. */
export function cronOf(preset: IPreset): string {
  const [hours = '6', minutes = '0'] = preset.time.split(':');
  const at = `${Number(minutes)} ${Number(hours)}`;
  switch (preset.preset) {
    case 'hour':
      return `${Number(minutes)} * * * *`;
    case 'day':
      return `${at} * * *`;
    case 'weekdays':
      return `${at} * * 1-5`;
    case 'week':
      return `${at} * * ${preset.weekday}`;
    case 'month':
      return `${at} ${preset.day} * *`;
    case 'custom':
      return '';
  }
}

/** The preset that is this cron line; what it does not say is as in the morning's. */
export function presetOf(cron: string): IPreset {
  const parts = cron.trim().split(/\s+/);
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = parts;
  const custom: IPreset = { ...MORNING, preset: 'custom' };
  if (parts.length !== 5 || month !== '*' || !isWithin(minute, 59)) {
    return custom;
  }
  const everyDay = day === '*';
  if (hour === '*' && everyDay && weekday === '*') {
    return { ...MORNING, preset: 'hour', time: `06:${pad(minute)}` };
  }
  if (!isWithin(hour, 23)) {
    return custom;
  }
  const at = { ...MORNING, time: `${pad(hour)}:${pad(minute)}` };
  if (everyDay && weekday === '*') {
    return { ...at, preset: 'day' };
  }
  if (everyDay && /^(1-5|mon-fri)$/i.test(weekday)) {
    return { ...at, preset: 'weekdays' };
  }
  if (everyDay && isWithin(weekday, 6)) {
    return { ...at, preset: 'week', weekday: Number(weekday) };
  }
  // days that every month has
  if (weekday === '*' && (day === 'L' || (isWithin(day, 28) && day !== '0'))) {
    return { ...at, preset: 'month', day };
  }
  return custom;
}

function isWithin(text: string, most: number): boolean {
  return /^\d{1,2}$/.test(text) && Number(text) <= most;
}

function pad(text: string): string {
  return text.padStart(2, '0');
}

const MOMENT = {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit'
} as const;

/** A moment as the clock of its own zone shows it, whatever zones this browser knows. */
export function wallTime(iso: string): string {
  const shown = new Date(`${iso.slice(0, 16)}Z`);
  return shown.toLocaleString([], { ...MOMENT, timeZone: 'UTC' });
}

/** A moment by the clock of a zone; by that of its own where this browser does not know the zone. */
export function timeIn(zone: string, iso: string): string {
  try {
    return new Date(iso).toLocaleString([], { ...MOMENT, timeZone: zone });
  } catch (error) {
    if (error instanceof RangeError) {
      return wallTime(iso);
    }
    throw error;
  }
}

/** The zone of this browser. */
export function ownZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';
}
