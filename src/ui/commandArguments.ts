import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

/** A command's argument as text; empty where it is left out or no text. */
export function textArg(args: ReadonlyPartialJSONObject, name: string): string {
  const value = args[name];
  return typeof value === 'string' ? value : '';
}

/** What the thing whose menu was opened last carries in this attribute; empty where there is none. */
export function pointed(
  app: JupyterFrontEnd,
  attribute: 'sweepId' | 'runId' | 'pipelineId' | 'run'
): string {
  const node = app.contextMenuHitTest(({ dataset }) => !!dataset[attribute]);
  return node?.dataset[attribute] ?? '';
}

/** The sweep that a command is about: the one named, else the one whose menu is open; empty for neither. */
export function sweepArg(
  app: JupyterFrontEnd,
  args: ReadonlyPartialJSONObject
): string {
  return textArg(args, 'id') || pointed(app, 'sweepId');
}

/** As `sweepArg`, of a run of a sweep. */
export function runArg(
  app: JupyterFrontEnd,
  args: ReadonlyPartialJSONObject
): string {
  return textArg(args, 'id') || pointed(app, 'runId');
}

/** As `sweepArg`, of a pipeline. */
export function pipelineArg(
  app: JupyterFrontEnd,
  args: ReadonlyPartialJSONObject
): string {
  return textArg(args, 'id') || pointed(app, 'pipelineId');
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
