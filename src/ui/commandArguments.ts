import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

/** A command's argument as text; empty where it is left out or no text. */
export function textArg(args: ReadonlyPartialJSONObject, name: string): string {
  const value = args[name];
  return typeof value === 'string' ? value : '';
}

/** The sweep that a command is about: the one named, else the one whose menu is open; empty for neither. */
export function sweepArg(
  app: JupyterFrontEnd,
  args: ReadonlyPartialJSONObject
): string {
  const pointed = () =>
    app.contextMenuHitTest(({ dataset }) => !!dataset['sweepId']);
  return textArg(args, 'id') || (pointed()?.dataset['sweepId'] ?? '');
}

/** The pipeline that a command is about: the one named, else the one whose menu is open; empty for neither. */
export function pipelineArg(
  app: JupyterFrontEnd,
  args: ReadonlyPartialJSONObject
): string {
  const pointed = () =>
    app.contextMenuHitTest(({ dataset }) => !!dataset['pipelineId']);
  return textArg(args, 'id') || (pointed()?.dataset['pipelineId'] ?? '');
}

/** What a command says of its arguments. */
export function argsSchema(
  properties: Record<string, 'string' | 'object' | 'number' | 'boolean'>
) {
  return {
    type: 'object',
    properties: Object.fromEntries(
      Object.entries(properties).map(([name, type]) => [name, { type }])
    )
  };
}
