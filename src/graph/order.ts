/** The order of nodes within their columns, so that few lines cross. */
import type { INode } from './geometry';

const ENOUGH = 24;
/** Nodes and lines looked at in one layout, so that a tangle of thousands does not hold up the page. */
const BUDGET = 400_000;

/** Sort each layer in place. */
export function orderLayers(layers: INode[][]): void {
  const size = layers
    .flat()
    .reduce((sum, { after }) => sum + 1 + after.length, 0);
  if (size === 0) {
    return;
  }
  const rounds = Math.max(
    2,
    Math.min(ENOUGH, Math.floor(BUDGET / (size * 12)))
  );
  let best = layers.map(nodes => [...nodes]);
  let fewest = crossings(layers);
  let idle = 0;
  for (let round = 0; round < rounds && fewest > 0 && idle < 6; round += 1) {
    sweep(layers, round % 2 === 0, round % 4 >= 2);
    swapNeighbours(layers);
    const count = crossings(layers);
    idle += 1;
    if (count < fewest) {
      fewest = count;
      best = layers.map(nodes => [...nodes]);
      idle = 0;
    }
  }
  for (const [index, nodes] of best.entries()) {
    layers[index]!.splice(0, nodes.length, ...nodes);
  }
}

/** How many pairs of lines cross. */
function crossings(layers: readonly INode[][]): number {
  let count = 0;
  for (const [index, nodes] of layers.entries()) {
    const next = layers[index + 1];
    if (next) {
      count += crossingsBetween(nodes, next);
    }
  }
  return count;
}

/** Lines in the order of their beginnings; each crosses the earlier ones that end below it. */
function crossingsBetween(
  left: readonly INode[],
  right: readonly INode[]
): number {
  number(right);
  const below = new Int32Array(right.length + 1);
  let count = 0;
  let lines = 0;
  for (const node of left) {
    for (const { at } of node.after) {
      let notBelow = 0;
      for (let i = at + 1; i > 0; i -= i & -i) {
        notBelow += below[i]!;
      }
      count += lines - notBelow;
    }
    // lines of one node do not cross each other
    for (const { at } of node.after) {
      for (let i = at + 1; i <= right.length; i += i & -i) {
        below[i]! += 1;
      }
    }
    lines += node.after.length;
  }
  return count;
}

/** Each layer by the mean place of its neighbours in the one before, from the left or from the right. */
function sweep(
  layers: readonly INode[][],
  fromLeft: boolean,
  lastFirst: boolean
): void {
  const order = fromLeft ? layers : [...layers].reverse();
  for (const [index, nodes] of order.entries()) {
    if (index === 0) {
      continue;
    }
    number(order[index - 1]!);
    number(nodes);
    // a node without neighbours stays behind the one that it follows
    let last = -0.5;
    for (const node of nodes) {
      const near = fromLeft ? node.before : node.after;
      if (near.length > 0) {
        last = near.reduce((sum, { at }) => sum + at, 0) / near.length;
      }
      node.wish = last;
    }
    nodes.sort(
      (a, b) =>
        a.wish - b.wish ||
        // equal ones the other way round now and then, to get out of a dead end
        (lastFirst ? b.at - a.at : a.at - b.at)
    );
  }
}

/** Exchange neighbours for as long as that takes crossings away. */
function swapNeighbours(layers: readonly INode[][]): void {
  for (const nodes of layers) {
    number(nodes);
  }
  for (const nodes of layers) {
    let again = true;
    for (let turn = 0; again && turn < 4; turn += 1) {
      again = false;
      for (let i = 0; i + 1 < nodes.length; i += 1) {
        const a = nodes[i]!;
        const b = nodes[i + 1]!;
        if (pairGain(a.before, b.before) + pairGain(a.after, b.after) > 0) {
          nodes[i] = b;
          nodes[i + 1] = a;
          again = true;
        }
      }
    }
    number(nodes);
  }
}

/** How many crossings fewer there are when the second comes first. */
function pairGain(first: readonly INode[], second: readonly INode[]): number {
  let gain = 0;
  for (const { at: a } of first) {
    for (const { at: b } of second) {
      gain += a > b ? 1 : a < b ? -1 : 0;
    }
  }
  return gain;
}

function number(nodes: readonly INode[]): void {
  for (let i = 0; i < nodes.length; i += 1) {
    nodes[i]!.at = i;
  }
}
