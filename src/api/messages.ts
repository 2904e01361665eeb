import type { TranslationBundle } from '@jupyterlab/translation';
import type { Message } from './schema';

/** What a person reads, and how numbers in it are written. */
export interface ILanguage {
  readonly trans: TranslationBundle;
  /** As JupyterLab names it, such as `de_DE`. */
  readonly languageCode: string;
}

const PLACEHOLDER = /\{\{|\}\}|\{(\w+)(?::([^}]*))?\}/g;
// values of the notebook's own, which hold no messages
const VALUES = new Set(['parameters', 'outputs', 'defaults', 'fixed']);

/** A message in the language of JupyterLab: its template is translated, then filled with its values. */
export function translate(language: ILanguage, message: Message): string {
  const { template, values } = message;
  // gettext would put its own arguments in where a template has %1
  const known = /%[%\d]/.test(template)
    ? template
    : language.trans.gettext(template);
  return known.replace(PLACEHOLDER, (whole, name?: string, format?: string) =>
    name === undefined
      ? whole.charAt(0)
      : shown(language, values[name], format ?? '')
  );
}

/** An answer of the server with every message in it translated, wherever it stands. */
export function translated(language: ILanguage, data: unknown): unknown {
  if (Array.isArray(data)) {
    return data.map(item => translated(language, item));
  }
  if (typeof data !== 'object' || data === null) {
    return data;
  }
  if (isMessage(data)) {
    return translate(language, data);
  }
  return Object.fromEntries(
    Object.entries(data).map(([name, value]) => [
      name,
      VALUES.has(name) ? value : translated(language, value)
    ])
  );
}

function isMessage(data: object): data is Message {
  return (
    'template' in data &&
    typeof data.template === 'string' &&
    'values' in data &&
    'text' in data
  );
}

function shown(language: ILanguage, value: unknown, format: string): string {
  if (typeof value === 'number') {
    return formatted(value, format, language.languageCode.replace('_', '-'));
  }
  return typeof value === 'object' && value !== null && isMessage(value)
    ? translate(language, value)
    : `${value as string}`;
}

/** A number by Python's format, such as `,` or `.3g`, with the language's digits and separators. */
function formatted(value: number, format: string, locale: string): string {
  const [, grouped, digits, kind] =
    /^(,)?(?:\.(\d+))?([fg])?$/.exec(format) ?? [];
  const fraction = Number(digits ?? 6);
  return new Intl.NumberFormat(locale, {
    useGrouping: grouped !== undefined,
    ...(kind === 'f'
      ? { minimumFractionDigits: fraction, maximumFractionDigits: fraction }
      : {
          maximumSignificantDigits: kind === 'g' ? Math.max(1, fraction) : 17
        })
  }).format(value);
}
