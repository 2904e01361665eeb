export {
  StepFields,
  emptyStep,
  nameFrom,
  stepOf,
  type IStepDraft
} from './step';
export {
  PipelineFileFactory,
  type IPipelineFileOptions,
  type PipelineDocument
} from './widget';
