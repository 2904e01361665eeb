import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';
import { translate, translated } from './messages';
import type { Message } from './schema';

const WORDS: Record<string, string> = {
  'Waiting: {why}': 'Wartet: {why}',
  'It takes {size:,} bytes, {share:.1f} of all.':
    'Es braucht {size:,} Bytes, {share:.1f} von allen.',
  '{name} is gone.': '{name} ist weg.'
};
const english = {
  trans: nullTranslator.load('jupyter_mlops'),
  languageCode: 'en'
};
const german = {
  trans: { ...english.trans, gettext: (text: string) => WORDS[text] ?? text },
  languageCode: 'de_DE'
};

function message(
  template: string,
  values: Record<string, unknown> = {}
): Message {
  return { text: 'in English', template, values };
}

describe('a message', () => {
  it('is its template, translated and filled, with messages in it', () => {
    const why = message('{name} is gone.', { name: '{host}' });
    const waiting = message('Waiting: {why}', { why });
    expect(translate(english, waiting)).toBe('Waiting: {host} is gone.');
    expect(translate(german, waiting)).toBe('Wartet: {host} ist weg.');
  });

  it('has numbers as the language writes them', () => {
    const takes = message('It takes {size:,} bytes, {share:.1f} of all.', {
      size: 1_234_567,
      share: 0.25
    });
    expect(translate(english, takes)).toBe(
      'It takes 1,234,567 bytes, 0.3 of all.'
    );
    expect(translate(german, takes)).toBe(
      'Es braucht 1.234.567 Bytes, 0,3 von allen.'
    );
    const plain = message('{count} {loss:.3g} {limit:g}', {
      count: 12_345,
      loss: 0.123456,
      limit: 86_400
    });
    expect(translate(english, plain)).toBe('12345 0.123 86400');
  });

  it('keeps braces and percent signs of its text', () => {
    expect(translate(english, message('{{x}} 50%20off 100%%'))).toBe(
      '{x} 50%20off 100%%'
    );
  });

  it('is a text wherever an answer holds one, but not among a notebook’s values', () => {
    const gone = message('{name} is gone.', { name: 'a' });
    expect(
      translated(german, {
        runs: [{ message: gone, warnings: [gone], error: null }],
        fields: { x: gone },
        parameters: { kept: gone }
      })
    ).toEqual({
      runs: [{ message: 'a ist weg.', warnings: ['a ist weg.'], error: null }],
      fields: { x: 'a ist weg.' },
      parameters: { kept: gone }
    });
  });
});
