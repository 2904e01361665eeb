/**
 * Where the steps of a graph are drawn, and along which lines.
 *
 * Layers are columns from left to right, or rows from top to bottom: that is worked out as columns, too, and turned
 * over their diagonal at the end, so `x` means along the lines and `y` across them until then. An edge over several columns takes a lane of its own in each that it
 * crosses, so that no line runs beneath a step. The order within columns comes from barycentre sweeps, the
 * heights from least squares under that order. The same graph always gives the same drawing.
 */
import type { GraphStep } from '../api/schema';
import {
  SIZES,
  type ILayout,
  type INode,
  type IPlacedEdge,
  type ISizes,
  type LabelOf,
  type Point
} from './geometry';
import { orderLayers } from './order';
import { place } from './place';

/** Turned over the diagonal. */
const DOWN: ISizes = {
  ...SIZES,
  width: SIZES.height,
  height: SIZES.width,
  across: 34
};

const LANE = 8;
const MARGIN = 12;
const LETTER = 6.1;
const LONGEST_LABEL = 190;
const LINE_OF_WORDS = 28;

export function layOut(
  graph: readonly GraphStep[],
  labelOf: LabelOf = step => step.when,
  down = false
): ILayout {
  const sizes = down ? DOWN : SIZES;
  const { layers, ways } = network(graph, sizes);
  orderLayers(layers);
  place(layers, sizes.between);
  const all = layers.flat();
  const top = all.reduce(
    (least, { y, height }) => Math.min(least, y - height / 2),
    Infinity
  );
  for (const node of all) {
    node.y = Math.round(node.y - top + MARGIN);
  }
  const columns = columnsOf(layers, labelOf, sizes);
  const turn = ([x, y]: Point): Point => (down ? [y, x] : [x, y]);
  const steps = layers.flatMap((nodes, layer) =>
    nodes
      .filter(({ step }) => step !== null)
      .map((node, order) => {
        const [x, y] = turn([columns[layer]!.left, node.y - node.height / 2]);
        return { step: node.step!, layer, order, x, y };
      })
  );
  const bottom = all.reduce(
    (most, { y, height }) => Math.max(most, y + height / 2),
    0
  );
  const [width, height] =
    steps.length > 0
      ? turn([columns.at(-1)!.left + sizes.width + MARGIN, bottom + MARGIN])
      : [0, 0];
  return {
    steps,
    edges: ways.map(way => draw(way, columns, labelOf, sizes, turn)),
    width,
    height,
    down
  };
}

interface IWay {
  nodes: INode[];
  from: GraphStep;
  to: GraphStep;
}

/** Steps and lanes by column, and the nodes along each edge. */
function network(
  graph: readonly GraphStep[],
  sizes: ISizes
): { layers: INode[][]; ways: IWay[] } {
  const layers: INode[][] = [];
  const add = (layer: number, step: GraphStep | null, height: number) => {
    const node: INode = {
      layer,
      step,
      height,
      before: [],
      after: [],
      at: 0,
      wish: 0,
      y: 0
    };
    (layers[layer] ??= []).push(node);
    return node;
  };
  // a column nobody is in would only be a gap
  const used = [...new Set(graph.map(({ layer }) => layer))].sort(
    (a, b) => a - b
  );
  const column = new Map(used.map((layer, index) => [layer, index]));
  const byName = new Map<string, INode>();
  for (const step of graph) {
    byName.set(step.name, add(column.get(step.layer)!, step, sizes.height));
  }
  // edges of one step that go far share their lanes
  const lanes = new Map<INode, INode[]>();
  const ways: IWay[] = [];
  for (const step of graph) {
    const to = byName.get(step.name)!;
    for (const name of new Set(step.after)) {
      const from = byName.get(name);
      // what is not there, or would go back, is what the text's problems speak of
      if (!from || from.layer >= to.layer) {
        continue;
      }
      const chain = lanes.get(from) ?? [from];
      lanes.set(from, chain);
      while (chain.length < to.layer - from.layer) {
        const lane = add(from.layer + chain.length, null, LANE);
        link(chain.at(-1)!, lane);
        chain.push(lane);
      }
      const nodes = [...chain.slice(0, to.layer - from.layer), to];
      link(nodes.at(-2)!, to);
      ways.push({ nodes, from: from.step!, to: step });
    }
  }
  return { layers, ways };
}

function link(from: INode, to: INode): void {
  from.after.push(to);
  to.before.push(from);
}

interface IColumn {
  left: number;
  /** Where lines into it are level again; the words stand between here and `left`. */
  level: number;
}

function columnsOf(
  layers: readonly INode[][],
  labelOf: LabelOf,
  sizes: ISizes
): IColumn[] {
  const columns: IColumn[] = [];
  let right = MARGIN - sizes.across;
  for (const nodes of layers) {
    const words = Math.max(
      ...nodes.map(({ step }) =>
        step && step.after.length > 0 ? labelOf(step).length : 0
      )
    );
    const level = right + sizes.across;
    const left =
      level +
      // from top to bottom, words lie across the line
      (words === 0
        ? 0
        : sizes === DOWN
          ? LINE_OF_WORDS
          : Math.min(words * LETTER + 24, LONGEST_LABEL));
    columns.push({ left: Math.round(left), level: Math.round(level) });
    right = Math.round(left) + sizes.width;
  }
  return columns;
}

/** Level through each column, in curves between them. */
function draw(
  way: IWay,
  columns: readonly IColumn[],
  labelOf: LabelOf,
  sizes: ISizes,
  turn: (point: Point) => Point
): IPlacedEdge {
  const { nodes, from, to } = way;
  const points: Point[] = [];
  let path = '';
  const go = (letter: string, ...stops: Point[]) => {
    path += letter + stops.map(stop => turn(stop).join(' ')).join(' ');
    points.push(turn(stops.at(-1)!));
  };
  let before: Point = [0, 0];
  for (const [index, node] of nodes.entries()) {
    const { left, level } = columns[node.layer]!;
    const { y } = node;
    if (index > 0) {
      const middle = (before[0] + level) / 2;
      go('C', [middle, before[1]], [middle, y], [level, y]);
    }
    const last = index === nodes.length - 1;
    before = [last ? left : left + sizes.width, y];
    go(index === 0 ? 'M' : 'L', before);
  }
  const end = nodes.at(-1)!;
  const { left, level } = columns[end.layer]!;
  const [labelX, labelY] = turn([(left + level) / 2 - 3, end.y]);
  return {
    from: from.name,
    to: to.name,
    path,
    points,
    label: labelledBy(to, nodes) === from.name ? labelOf(to) : '',
    labelX,
    labelY
  };
}

/** Which edge to a step carries its condition's words: one from where the condition looks, else the first. */
function labelledBy(to: GraphStep, nodes: readonly INode[]): string {
  const drawn = nodes
    .at(-1)!
    .before.map(source)
    .map(({ name }) => name);
  const asked = drawn.find(name =>
    to.when.split(/[^\w.-]+/).some(word => word.startsWith(`${name}.`))
  );
  return asked ?? drawn[0]!;
}

function source(node: INode): GraphStep {
  let origin = node;
  while (!origin.step) {
    origin = origin.before[0]!;
  }
  return origin.step;
}
