/** The heights of nodes, so that lines are straight where they can be. */
import type { INode } from './geometry';

const ROUNDS = 10;

/** Give each node of ordered layers its `y`. */
export function place(layers: readonly INode[][], between: number): void {
  for (const nodes of layers) {
    let y = 0;
    for (const [index, node] of nodes.entries()) {
      y += index > 0 ? apart(nodes[index - 1]!, node, between) : 0;
      node.y = y;
    }
    for (const node of nodes) {
      node.y -= y / 2;
    }
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    const order = round % 2 === 0 ? layers : [...layers].reverse();
    for (const nodes of order) {
      settle(nodes, between, round % 2 === 0);
    }
  }
}

/** Distance of the centres of neighbours. */
function apart(above: INode, below: INode, between: number): number {
  const lane = above.step === null || below.step === null;
  return (
    (above.height + below.height) / 2 +
    // lanes lie closer together than steps do
    (lane ? between / 2 : between)
  );
}

/**
 * As near to the neighbours as the order allows.
 *
 * With the distances taken off, the heights have only to grow: an isotonic regression, by pooling neighbours that
 * do not.
 */
function settle(
  nodes: readonly INode[],
  between: number,
  fromLeft: boolean
): void {
  const offsets: number[] = [];
  const pools: { sum: number; weight: number; count: number }[] = [];
  for (const [index, node] of nodes.entries()) {
    offsets.push(
      index > 0
        ? offsets[index - 1]! + apart(nodes[index - 1]!, node, between)
        : 0
    );
    const { y, weight } = wish(node, fromLeft);
    pools.push({ sum: (y - offsets[index]!) * weight, weight, count: 1 });
    for (let last = pools.at(-1)!, before = pools.at(-2); before;) {
      if (before.sum / before.weight <= last.sum / last.weight) {
        break;
      }
      before.sum += last.sum;
      before.weight += last.weight;
      before.count += last.count;
      pools.pop();
      last = before;
      before = pools.at(-2);
    }
  }
  let index = 0;
  for (const { sum, weight, count } of pools) {
    for (let i = 0; i < count; i += 1, index += 1) {
      nodes[index]!.y = sum / weight + offsets[index]!;
    }
  }
}

/** Where a node would like to be, and how much. */
function wish(node: INode, fromLeft: boolean): { y: number; weight: number } {
  const side = fromLeft ? node.before : node.after;
  const near = side.length > 0 ? side : fromLeft ? node.after : node.before;
  if (near.length === 0) {
    return { y: node.y, weight: 0.1 };
  }
  let sum = 0;
  let weight = 0;
  for (const other of near) {
    // what goes through a column goes straight on
    const own = node.step === null && other.step === null ? 8 : 1;
    sum += other.y * own;
    weight += own;
  }
  return { y: sum / weight, weight };
}
