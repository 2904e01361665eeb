import type { Parameter } from '../../api/schema';

/** What a field tries: the words of its small menu. */
export type Kind = 'default' | 'value' | 'list' | 'range' | 'log';

const NUMERIC = new Set(['int', 'float', 'any']);

/** Which kinds make sense for a parameter; text has no ranges. */
export function kindsOf(parameter: Parameter): Kind[] {
  return NUMERIC.has(parameter.type)
    ? ['value', 'list', 'range', 'log']
    : ['value', 'list'];
}

/** The kind that a text in the grammar stands for. */
export function kindOf(text: string, parameter: Parameter): Kind {
  const bare = text.trim();
  if (!bare) {
    return 'default';
  }
  if (NUMERIC.has(parameter.type)) {
    if (/^log:/i.test(bare)) {
      return 'log';
    }
    if (/^[-+.\d][^,[]*:/.test(bare)) {
      return 'range';
    }
  }
  return bare.startsWith('[') || bare.includes(',') ? 'list' : 'value';
}

/** A text of the wanted kind near the parameter's default, to be edited; never only a hint. */
export function suggest(
  kind: Kind,
  parameter: Parameter,
  text: string
): string {
  const first = firstValue(text) ?? plain(parameter);
  if (kind === 'default') {
    return '';
  }
  if (!NUMERIC.has(parameter.type) || Number.isNaN(Number(first))) {
    return kind === 'list' ? `${first},` : first;
  }
  const whole = parameter.type === 'int';
  const value = Number(first);
  const [low, high] = around(value, whole, kind === 'log');
  switch (kind) {
    case 'value':
      return first;
    case 'list':
      return [...new Set([low, value, high])].map(short).join(',');
    case 'range':
      return whole ? `${low}:${high}` : `${short(low)}:${short(high)}:5`;
    case 'log':
      return `log:${short(low)}:${short(high)}:5`;
  }
}

/** Options of a parameter that is chosen from few values, null for all others. */
export function choicesOf(parameter: Parameter): string[] | null {
  const bare =
    parameter.type === 'choice'
      ? parameter.choices
      : parameter.type === 'bool'
        ? [false, true]
        : null;
  if (!bare || bare.length === 0 || bare.length > 12) {
    return null;
  }
  const values = bare.map(asText);
  if (parameter.optional && !values.includes('None')) {
    values.push('None');
  }
  return values;
}

/** The default as an option's text. */
export function defaultChoice(parameter: Parameter): string {
  return asText(parameter.default);
}

/** The options that a text has on; null where the text is not made of options alone. */
export function chosen(
  text: string,
  options: readonly string[]
): string[] | null {
  const bare = text.trim();
  if (!bare) {
    return [];
  }
  let parts: string[];
  if (bare.startsWith('[')) {
    try {
      parts = (JSON.parse(bare) as unknown[]).map(asText);
    } catch {
      return null;
    }
  } else {
    parts = bare.split(',').map(part => part.trim());
  }
  const byName = new Map(
    options.map(option => [option.toLowerCase(), option] as const)
  );
  const known = parts.map(part => byName.get(part.toLowerCase()));
  return known.every(part => part !== undefined) ? known : null;
}

/** The text that has these options on, in the order they are declared. */
export function choose(
  parameter: Parameter,
  options: readonly string[],
  on: readonly string[]
): string {
  const picked = options.filter(option => on.includes(option));
  if (picked.every(option => /^[\w.+-]+$/.test(option))) {
    return picked.join(',');
  }
  // a comma or a bracket inside a value: JSON keeps it whole
  const values = new Map(
    (parameter.choices ?? []).map(value => [asText(value), value])
  );
  return JSON.stringify(
    picked.map(option => (values.has(option) ? values.get(option) : null))
  );
}

function asText(value: unknown): string {
  return value === null || value === undefined
    ? 'None'
    : typeof value === 'string'
      ? value
      : JSON.stringify(value);
}

function plain(parameter: Parameter): string {
  if (parameter.default === null) {
    return NUMERIC.has(parameter.type) ? '1' : '';
  }
  return typeof parameter.default === 'object'
    ? JSON.stringify([parameter.default])
    : asText(parameter.default);
}

function firstValue(text: string): string | null {
  const bare = text.trim().replace(/^log:/i, '');
  const first = bare.startsWith('[') ? '' : (bare.split(/[,:]/)[0] ?? '');
  return first.trim() || null;
}

function around(
  value: number,
  whole: boolean,
  logarithmic: boolean
): [number, number] {
  if (logarithmic) {
    const middle = Math.abs(value) || (whole ? 10 : 0.1);
    return whole
      ? [Math.max(1, Math.round(middle / 4)), Math.round(middle * 4)]
      : [middle / 10, middle * 10];
  }
  if (whole) {
    const reach = Math.max(1, Math.round(Math.abs(value) / 2));
    return [value - reach, value + reach];
  }
  return value === 0
    ? [0, 1]
    : [Math.min(value / 2, value * 2), Math.max(value / 2, value * 2)];
}

function short(value: number): string {
  return String(Number(value.toPrecision(4)));
}
