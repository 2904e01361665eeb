import { LabIcon } from '@jupyterlab/ui-components';
import mlopsSvg from '../style/icons/mlops.svg';
import sweepSvg from '../style/icons/sweep.svg';

export const mlopsIcon = new LabIcon({
  name: 'jupyter-mlops:mlops',
  svgstr: mlopsSvg
});

export const sweepIcon = new LabIcon({
  name: 'jupyter-mlops:sweep',
  svgstr: sweepSvg
});
