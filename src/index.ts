import { sweepPlugin, toolsPlugin } from './documents';
import { commandsPlugin, modelPlugin } from './main';
import { notebooksPlugin } from './notebooks';
import { panelPlugin } from './panel';
import { pipelinePlugin } from './pipelines';

export default [
  modelPlugin,
  commandsPlugin,
  panelPlugin,
  sweepPlugin,
  pipelinePlugin,
  notebooksPlugin,
  toolsPlugin
];
