import { sweepPlugin, toolsPlugin } from './documents';
import { commandsPlugin, modelPlugin } from './main';
import { panelPlugin } from './panel';

export default [
  modelPlugin,
  commandsPlugin,
  panelPlugin,
  sweepPlugin,
  toolsPlugin
];
