import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';
import { triggerOf } from '../../testing/records';
import { triggerWords, whenWords } from './triggerDescriptions';

const trans = nullTranslator.load('');
const NOW = new Date(2026, 10, 24, 16, 20).getTime();
const at = (...local: [number, number, number, number, number]) => {
  const [year, month, day, hour, minute] = local;
  const date = new Date(year, month - 1, day, hour, minute);
  return whenWords(date.toISOString(), NOW, trans);
};

describe('whenWords', () => {
  it('says the near in minutes and the far by the calendar', () => {
    const soon = (seconds: number) =>
      whenWords(new Date(NOW + seconds * 1000).toISOString(), NOW, trans);
    expect(soon(-3)).toBe('now');
    expect(soon(60)).toBe('in a minute');
    expect(soon(20 * 60)).toBe('in 20 minutes');
    expect(at(2026, 11, 24, 23, 0)).toMatch(/^today at 11:00|^today at 23:00/);
    expect(at(2026, 11, 25, 6, 0)).toMatch(/^tomorrow at 0?6:00/);
    expect(at(2026, 11, 28, 6, 0)).toMatch(/Sat.*28|28.*Sat/);
    expect(at(2027, 1, 4, 6, 0)).toContain('2027');
  });

  it('goes by the clock of a zone where one is given', () => {
    const now = Date.parse('2026-11-24T20:00:00Z');
    const words = (zone: string) =>
      whenWords('2026-11-24T20:30:00Z', now, trans, zone);
    expect(words('Asia/Tokyo')).toMatch(/^today at 0?5:30/);
    expect(words('America/New_York')).toMatch(/^today at (15:30|0?3:30)/);
    expect(
      whenWords('2026-11-24T23:30:00Z', now, trans, 'Europe/Berlin')
    ).toMatch(/^tomorrow at (00:30|12:30)/);
    // the browser's own, rather than nothing
    expect(words('Nowhere/Land')).toMatch(/today|tomorrow/);
  });

  it('calls a time after midnight tomorrow, however near it is', () => {
    expect(
      whenWords(
        new Date(2026, 10, 25, 0, 30).toISOString(),
        new Date(2026, 10, 24, 23, 0).getTime(),
        trans
      )
    ).toMatch(/^tomorrow/);
  });
});

describe('triggerWords', () => {
  it.each([
    [triggerOf('t', 'p', { cron: '0 6 * * *' }), 'at 06:00'],
    [
      triggerOf('t', 'p', { kind: 'files', pattern: 's3://bucket/*.csv' }),
      'When files matching s3://bucket/*.csv are new or changed'
    ],
    [
      triggerOf('t', 'p', { kind: 'pipeline', upstream: 'u', on: 'failed' }),
      'When “collect” has failed'
    ],
    [triggerOf('t', 'p', { kind: 'http' }), 'When it is called with its token']
  ])('says what it waits for', (trigger, words) => {
    expect(triggerWords(trigger, 'at 06:00', 'collect', trans)).toBe(words);
  });

  it('has the cron line until its words are there', () => {
    expect(triggerWords(triggerOf('t', 'p'), '', '', trans)).toBe('0 6 * * *');
  });
});
