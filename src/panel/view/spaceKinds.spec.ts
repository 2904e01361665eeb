import { describe, expect, it } from 'vitest';
import { parameterOf } from '../../testing/server';
import {
  choicesOf,
  choose,
  chosen,
  defaultChoice,
  kindOf,
  kindsOf,
  suggest
} from './spaceKinds';

const whole = parameterOf('max_depth');
const real = parameterOf('rate', { type: 'float', default: 0.1 });
const text = parameterOf('model', { type: 'str', default: 'forest' });

describe('kindOf', () => {
  it.each([
    ['', 'default'],
    ['  ', 'default'],
    ['6', 'value'],
    ['-0.5', 'value'],
    ['1,2,4', 'list'],
    ['[1, 2]', 'list'],
    ['3:8', 'range'],
    ['-1:1:5', 'range'],
    ['.1:.3:step=.1', 'range'],
    ['log:0.01:1:5', 'log'],
    ['LOG:1:10:2', 'log']
  ])('takes %j for a %s', (given, kind) => {
    expect(kindOf(given, whole)).toBe(kind);
  });

  it('leaves text its colons', () => {
    expect(kindOf('12:30', text)).toBe('value');
    expect(kindOf('log:x', text)).toBe('value');
    expect(kindOf('a:1,b:2', text)).toBe('list');
  });
});

describe('suggest', () => {
  it.each([whole, real, parameterOf('n', { type: 'any', default: null })])(
    'makes a text of each kind for $name, whatever stands there',
    parameter => {
      for (const present of ['', '7', '0', '-3', '1,2', '3:8', 'log:1:9:3']) {
        for (const kind of kindsOf(parameter)) {
          const suggested = suggest(kind, parameter, present);
          expect(kindOf(suggested, parameter), `${kind} of ${present}`).toBe(
            kind
          );
        }
        expect(suggest('default', parameter, present)).toBe('');
      }
    }
  );

  it('keeps the value that stands there', () => {
    expect(suggest('value', whole, '8:12')).toBe('8');
    expect(suggest('list', real, '0.5')).toBe('0.25,0.5,1');
    expect(suggest('range', real, '')).toBe('0.05:0.2:5');
    expect(suggest('log', real, '')).toBe('log:0.01:1:5');
  });

  it('gives whole numbers whole ends', () => {
    expect(suggest('range', whole, '')).toBe('3:9');
    expect(suggest('log', whole, '1')).toBe('log:1:4:5');
  });

  it('begins a range at the lower end, below zero too', () => {
    expect(suggest('range', real, '-2')).toBe('-4:-1:5');
  });

  it('offers text no ranges', () => {
    expect(kindsOf(text)).toEqual(['value', 'list']);
    expect(suggest('list', text, '')).toBe('forest,');
  });
});

describe('choices', () => {
  const loss = parameterOf('loss', {
    type: 'choice',
    choices: ['hinge', 'log_loss', 'huber'],
    default: 'hinge'
  });
  const odd = parameterOf('split', {
    type: 'choice',
    choices: ['a,b', 'c', 3],
    optional: true
  });

  it('are those of a Literal and of a bool, and None where it may be', () => {
    expect(choicesOf(loss)).toEqual(['hinge', 'log_loss', 'huber']);
    expect(
      choicesOf(parameterOf('x', { type: 'bool', optional: true }))
    ).toEqual(['false', 'true', 'None']);
    expect(choicesOf(whole)).toBeNull();
  });

  it('are a text field where there are too many', () => {
    const choices = Array.from({ length: 13 }, (_, index) => index);
    expect(choicesOf({ ...loss, choices })).toBeNull();
  });

  it('come back from the text they make', () => {
    for (const parameter of [loss, odd]) {
      const options = choicesOf(parameter) ?? [];
      for (let bits = 0; bits < 2 ** options.length; bits++) {
        const on = options.filter((_, index) => bits & (1 << index));
        const made = choose(parameter, options, on);
        expect(chosen(made, options), made).toEqual(on);
      }
    }
  });

  it('are written in the order they are declared', () => {
    const options = choicesOf(loss) ?? [];
    expect(choose(loss, options, ['huber', 'hinge'])).toBe('hinge,huber');
  });

  it('are JSON where a value holds a comma', () => {
    const options = choicesOf(odd) ?? [];
    expect(choose(odd, options, ['a,b', '3', 'None'])).toBe('["a,b",3,null]');
  });

  it('know a text that is made of something else', () => {
    const options = choicesOf(loss) ?? [];
    expect(chosen('hinge,squared', options)).toBeNull();
    expect(chosen('[hinge', options)).toBeNull();
    expect(chosen('True', ['false', 'true'])).toEqual(['true']);
  });

  it('name the default', () => {
    expect(defaultChoice(loss)).toBe('hinge');
    expect(defaultChoice(parameterOf('x', { default: null }))).toBe('None');
    expect(defaultChoice(parameterOf('x', { default: false }))).toBe('false');
  });
});
