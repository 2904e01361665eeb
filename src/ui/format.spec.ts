import { describe, expect, it } from 'vitest';
import {
  decimalsOf,
  formatBytes,
  formatNumber,
  formatSpan,
  formatTime,
  fullTime
} from './format';

describe('formatNumber', () => {
  it.each([
    [0, '0'],
    [30, '30'],
    [-3, '-3'],
    [1_234_567, '1234567'],
    [0.741234, '0.7412'],
    [123.456, '123.5'],
    [0.1 + 0.2, '0.3'],
    [0.00012345, '1.234e-4'],
    [1.5e9, '1.500e+9'],
    [20_000_000, '2.000e+7'],
    [NaN, 'NaN'],
    [-Infinity, '-Infinity']
  ])('shows %d as %s', (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });
});

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [9_950, '9.9 kB'],
    [12_345, '12 kB'],
    [2_500_000, '2.5 MB'],
    [3e9, '3.0 GB'],
    [5e15, '5000 TB']
  ])('shows %d as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });
});

describe('formatSpan', () => {
  it.each([
    [0, '0 ms'],
    [0.0214, '21 ms'],
    [0.0996, '0.10 s'],
    [0.211, '0.21 s'],
    [0.996, '1.0 s'],
    [83, '1 min 23 s']
  ])('shows %d as %s', (seconds, text) => {
    expect(formatSpan(seconds)).toBe(text);
  });
});

describe('formatTime', () => {
  const now = new Date(2026, 10, 24, 18, 0);

  it('is the time of day for today', () => {
    const text = formatTime(new Date(2026, 10, 24, 14, 2).toISOString(), now);
    expect(text).toMatch(/^0?2:02|^14:02/);
  });

  it('is the date for any other day', () => {
    const text = formatTime(new Date(2026, 10, 23, 14, 2).toISOString(), now);
    expect(text).toContain('23');
    expect(text).not.toContain(':');
  });
});

describe('a column of numbers', () => {
  it.each<[number[], string]>([
    [[0.9, 0.85, 0.8125], '0.9000 0.8500 0.8125'],
    [[123.4, 98.76], '123.40 98.76'],
    [[10.5, 20], '10.5 20.0'],
    [[2.3, 0.0123], '2.3000 0.0123'],
    [[3, 12, 0], '3 12 0'],
    [[0, 0.25], '0.00 0.25'],
    // an exponent says more than zeros
    [[0.5, 2e-7, Infinity], '0.5 2.000e-7 Infinity'],
    [[2e-7], '2.000e-7']
  ])('has its points below each other: %j', (values, texts) => {
    const decimals = decimalsOf(values);
    const shown = values.map(value => formatNumber(value, decimals));
    expect(shown.join(' ')).toBe(texts);
  });
});

describe('fullTime', () => {
  it('names the zone', () => {
    const zone = new Intl.DateTimeFormat([], { timeZoneName: 'short' })
      .formatToParts(new Date('2026-01-01T12:00:00Z'))
      .find(({ type }) => type === 'timeZoneName')?.value;
    expect(fullTime('2026-01-01T12:00:00Z')).toContain(zone);
  });
});
