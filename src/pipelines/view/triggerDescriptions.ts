/** When and by what a pipeline is fired, in words. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Trigger } from '../../api/schema';

/**
 * A moment to come as a person says it: `in a minute`, `today at 06:00`, `tomorrow at 06:00`, `Fri, 28 Nov, 06:00`.
 *
 * By the clock of a time zone where one is given, and then always as a time of day.
 */
export function whenWords(
  iso: string,
  now: number,
  trans: TranslationBundle,
  zone?: string
): string {
  const date = new Date(iso);
  const seconds = (date.getTime() - now) / 1000;
  if (!zone && seconds < 90) {
    return seconds < 20 ? trans.__('now') : trans.__('in a minute');
  }
  if (!zone && seconds < 3570) {
    const minutes = Math.round(seconds / 60);
    return trans._n('in %1 minute', 'in %1 minutes', minutes);
  }
  const clock = zone && knows(zone) ? { timeZone: zone } : {};
  const time = date.toLocaleTimeString([], {
    hour: '2-digit',
    minute: '2-digit',
    ...clock
  });
  switch (dayOf(date, clock) - dayOf(new Date(now), clock)) {
    case 0:
      return trans.__('today at %1', time);
    case 1:
      return trans.__('tomorrow at %1', time);
    default:
      return date.toLocaleString([], {
        weekday: 'short',
        day: 'numeric',
        month: 'short',
        hour: '2-digit',
        minute: '2-digit',
        ...(date.getFullYear() !== new Date(now).getFullYear() && {
          year: 'numeric'
        }),
        ...clock
      });
  }
}

/** Days since 1970 by a clock. */
function dayOf(date: Date, clock: { timeZone?: string }): number {
  const parts = new Intl.DateTimeFormat('en', {
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    ...clock
  }).formatToParts(date);
  const part = (type: string) =>
    Number(parts.find(other => other.type === type)?.value);
  return Date.UTC(part('year'), part('month') - 1, part('day')) / 86_400_000;
}

/** Whether the browser knows a time zone; the server may know others. */
function knows(zone: string): boolean {
  try {
    return !!new Intl.DateTimeFormat('en', { timeZone: zone });
  } catch (error) {
    if (error instanceof RangeError) {
      return false;
    }
    throw error;
  }
}

/** What a trigger waits for; of a cron line its own words, which the server knows. */
export function triggerWords(
  trigger: Trigger,
  cron: string,
  upstream: string,
  trans: TranslationBundle
): string {
  switch (trigger.kind) {
    case 'cron':
      return cron || trigger.cron;
    case 'files':
      return trans.__(
        'When files matching %1 are new or changed',
        trigger.pattern
      );
    case 'pipeline':
      switch (trigger.on) {
        case 'succeeded':
          return trans.__('When “%1” has succeeded', upstream);
        case 'failed':
          return trans.__('When “%1” has failed', upstream);
        case 'ended':
          return trans.__('When “%1” has ended', upstream);
      }
      break;
    case 'http':
      return trans.__('When it is called with its token');
  }
  return trigger.kind;
}

export function overlapWords(
  overlap: Trigger['overlap'],
  trans: TranslationBundle
): string {
  switch (overlap) {
    case 'skip':
      return trans.__('left out while an earlier run goes on');
    case 'queue':
      return trans.__('waits while an earlier run goes on');
    case 'replace':
      return trans.__('stops an earlier run that goes on');
  }
}

export function missedWords(
  missed: Trigger['missed'],
  trans: TranslationBundle
): string {
  switch (missed) {
    case 'skip':
      return trans.__('missed times are left out');
    case 'one':
      return trans.__('of missed times the last is made up for');
    case 'all':
      return trans.__('all missed times are made up for');
  }
}
