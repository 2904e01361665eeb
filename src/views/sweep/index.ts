import type { Widget } from '@lumino/widgets';
import { SweepView, type ISweepViewOptions } from './view';

export type { ISweepViewOptions } from './view';

/** One sweep, to be put into the main area. */
export function createSweepView(options: ISweepViewOptions): Widget {
  return new SweepView(options);
}
