import { computePlugin } from './compute/plugin';
import {
  newPipelineFilePlugin,
  notebooksPlugin,
  pipelineFilePlugin
} from './documents/plugin';
import { modelPlugin } from './model/plugin';
import { panelPlugin } from './panel/plugin';
import { pipelineCommandsPlugin, pipelinePlugin } from './pipelines/plugin';
import { schedulesPlugin } from './schedules/plugin';
import { sweepCommandsPlugin, sweepPlugin } from './sweeps/plugin';

export default [
  modelPlugin,
  sweepCommandsPlugin,
  pipelineCommandsPlugin,
  schedulesPlugin,
  panelPlugin,
  sweepPlugin,
  pipelinePlugin,
  pipelineFilePlugin,
  newPipelineFilePlugin,
  notebooksPlugin,
  computePlugin
];
