/** Placed steps and edges of a graph, and the sizes they are drawn in. */
import type { GraphStep } from '../api/schema';

export interface ISizes {
  width: number;
  height: number;
  /** Between columns, beside what a condition's words take. */
  across: number;
  /** Between steps of one column. */
  between: number;
}

export const SIZES: ISizes = {
  width: 184,
  height: 66,
  across: 46,
  between: 18
};

export interface IPlacedStep {
  step: GraphStep;
  layer: number;
  /** From above, within its column. */
  order: number;
  /** Of the upper left corner. */
  x: number;
  y: number;
}

export type Point = readonly [number, number];

export interface IPlacedEdge {
  from: string;
  to: string;
  /** For the `d` of an SVG path. */
  path: string;
  /** Ends of the level pieces, from left to right; curves lead from each to the next. */
  points: readonly Point[];
  /** What has to be so that the second is run; empty on all edges to a step but one. */
  label: string;
  labelX: number;
  labelY: number;
}

export interface ILayout {
  steps: readonly IPlacedStep[];
  edges: readonly IPlacedEdge[];
  width: number;
  height: number;
  /** From top to bottom, instead of from left to right. */
  down: boolean;
}

/** A step, or the lane of an edge in a column that it crosses. */
export interface INode {
  layer: number;
  step: GraphStep | null;
  height: number;
  /** Neighbours in the column before and the one behind. */
  before: INode[];
  after: INode[];
  /** Index in its column, and where it would like to be; while the order is being looked for. */
  at: number;
  wish: number;
  /** Centre. */
  y: number;
}

/** The words on the way to a step; empty where it simply follows. */
export type LabelOf = (step: GraphStep) => string;
