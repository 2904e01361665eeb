/** The order of nodes within their columns, so that few lines cross. */
import type { INode } from './layout';

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
export function crossings(layers: readonly INode[][]): number {
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
  const at = positions(right);
  const below = new Array<number>(right.length + 1).fill(0);
  let count = 0;
  let lines = 0;
  for (const node of left) {
    const ends = node.after.map(({ id }) => at.get(id)!).sort((a, b) => a - b);
    for (const end of ends) {
      let notBelow = 0;
      for (let i = end + 1; i > 0; i -= i & -i) {
        notBelow += below[i]!;
      }
      count += lines - notBelow;
    }
    for (const end of ends) {
      for (let i = end + 1; i <= right.length; i += i & -i) {
        below[i]! += 1;
      }
      lines += 1;
    }
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
    const fixed = order[index - 1];
    if (!fixed) {
      continue;
    }
    const at = positions(fixed);
    const before = positions(nodes);
    const mean = new Map(
      nodes.map(node => {
        const near = fromLeft ? node.before : node.after;
        const sum = near.reduce((total, { id }) => total + at.get(id)!, 0);
        return [node.id, near.length > 0 ? sum / near.length : -1];
      })
    );
    spread(nodes, mean);
    nodes.sort(
      (a, b) =>
        mean.get(a.id)! - mean.get(b.id)! ||
        // equal ones the other way round now and then, to get out of a dead end
        (lastFirst ? -1 : 1) * (before.get(a.id)! - before.get(b.id)!)
    );
  }
}

/** Nodes without neighbours stay behind the one that they follow. */
function spread(nodes: readonly INode[], mean: Map<number, number>): void {
  let last = -0.5;
  for (const { id } of nodes) {
    const own = mean.get(id)!;
    if (own < 0) {
      mean.set(id, last);
    } else {
      last = own;
    }
  }
}

/** Exchange neighbours for as long as that takes crossings away. */
function swapNeighbours(layers: readonly INode[][]): void {
  for (const [index, nodes] of layers.entries()) {
    const left = layers[index - 1] ? positions(layers[index - 1]!) : null;
    const right = layers[index + 1] ? positions(layers[index + 1]!) : null;
    let again = true;
    for (let turn = 0; again && turn < 4; turn += 1) {
      again = false;
      for (let i = 0; i + 1 < nodes.length; i += 1) {
        const a = nodes[i]!;
        const b = nodes[i + 1]!;
        const gain =
          (left ? pairGain(a.before, b.before, left) : 0) +
          (right ? pairGain(a.after, b.after, right) : 0);
        if (gain > 0) {
          nodes[i] = b;
          nodes[i + 1] = a;
          again = true;
        }
      }
    }
  }
}

/** How many crossings fewer there are when the second comes first. */
function pairGain(
  first: readonly INode[],
  second: readonly INode[],
  at: ReadonlyMap<number, number>
): number {
  let gain = 0;
  for (const { id: a } of first) {
    for (const { id: b } of second) {
      gain += Math.sign(at.get(a)! - at.get(b)!);
    }
  }
  return gain;
}

function positions(nodes: readonly INode[]): Map<number, number> {
  return new Map(nodes.map(({ id }, index) => [id, index]));
}
