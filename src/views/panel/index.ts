export { MlopsPanel, type IPanelOptions } from './panel';
export { compact, NotebookForm } from './form';
