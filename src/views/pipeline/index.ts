export { PipelineView, type IPipelineViewOptions } from './view';
