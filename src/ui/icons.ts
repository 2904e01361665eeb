import { LabIcon } from '@jupyterlab/ui-components';
import mlopsSvg from '../../style/icons/mlops.svg';
import pipelineSvg from '../../style/icons/pipeline.svg';
import promoteSvg from '../../style/icons/promote.svg';
import sweepSvg from '../../style/icons/sweep.svg';

export const mlopsIcon = new LabIcon({
  name: 'jupyter-mlops:mlops',
  svgstr: mlopsSvg
});

export const sweepIcon = new LabIcon({
  name: 'jupyter-mlops:sweep',
  svgstr: sweepSvg
});

export const pipelineIcon = new LabIcon({
  name: 'jupyter-mlops:pipeline',
  svgstr: pipelineSvg
});

export const promoteIcon = new LabIcon({
  name: 'jupyter-mlops:promote',
  svgstr: promoteSvg
});
