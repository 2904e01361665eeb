import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

/** A command's argument as text; empty where it is left out or no text. */
export function textArg(args: ReadonlyPartialJSONObject, name: string): string {
  const value = args[name];
  return typeof value === 'string' ? value : '';
}
