import { sweepPlugin, toolsPlugin } from './documents';
import { commandsPlugin, modelPlugin } from './main';
import { notebooksPlugin } from './notebooks';
import { panelPlugin } from './panel';

export default [
  modelPlugin,
  commandsPlugin,
  panelPlugin,
  sweepPlugin,
  notebooksPlugin,
  toolsPlugin
];
