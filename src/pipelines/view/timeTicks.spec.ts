import { describe, expect, it } from 'vitest';
import { ticks } from './timeTicks';

describe('ticks', () => {
  it.each([
    [
      0.35,
      [
        '0',
        '0.05 s',
        '0.10 s',
        '0.15 s',
        '0.20 s',
        '0.25 s',
        '0.30 s',
        '0.35 s'
      ]
    ],
    [4.1, ['0', '1 s', '2 s', '3 s', '4 s']],
    [100, ['0', '20 s', '40 s', '1:00 min', '1:20 min', '1:40 min']],
    [600, ['0', '2 min', '4 min', '6 min', '8 min', '10 min']],
    [5400, ['0', '20 min', '40 min', '1:00 h', '1:20 h']],
    [
      86_400,
      ['0', '3 h', '6 h', '9 h', '12 h', '15 h', '18 h', '21 h', '24 h']
    ],
    [12 * 86_400, ['0', '2 d', '4 d', '6 d', '8 d', '10 d', '12 d']]
  ])('counts %d seconds in what people count in', (span, labels) => {
    expect(ticks(span, 9).map(({ label }) => label)).toEqual(labels);
  });

  it('never has more than asked for, nor one behind the end', () => {
    for (let span = 0.013; span < 1e7; span *= 1.7) {
      const found = ticks(span, 6);
      expect(found.length).toBeLessThanOrEqual(6);
      expect(found.at(-1)!.at).toBeLessThanOrEqual(span * (1 + 1e-9));
      expect(found[0]).toEqual({ at: 0, label: '0' });
    }
  });
});
