import { sweepPlugin, toolsPlugin } from './documents';
import { commandsPlugin, modelPlugin } from './main';
import { notebooksPlugin } from './notebooks';
import { panelPlugin } from './panel';
import { pipelineFilePlugin } from './pipelinefile';
import { pipelinePlugin } from './pipelines';

export default [
  modelPlugin,
  commandsPlugin,
  panelPlugin,
  sweepPlugin,
  pipelinePlugin,
  pipelineFilePlugin,
  notebooksPlugin,
  toolsPlugin
];
