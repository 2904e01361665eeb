import { cpuUsage } from 'node:process';
import { describe, expect, it } from 'vitest';
import type { GraphStep } from '../api/schema';
import { graphOf } from '../testing/graphs';
import { SIZES, type ILayout } from './geometry';
import { layOut } from './layout';

/** Whether two steps share room. */
function overlapping({ steps }: ILayout): string[] {
  return steps.flatMap((a, index) =>
    steps
      .slice(index + 1)
      .filter(
        b =>
          a.x < b.x + SIZES.width &&
          b.x < a.x + SIZES.width &&
          a.y < b.y + SIZES.height &&
          b.y < a.y + SIZES.height
      )
      .map(b => `${a.step.name}/${b.step.name}`)
  );
}

/** Points along a path of level pieces and curves. */
function along(path: string): [number, number][] {
  const points: [number, number][] = [];
  let [x, y] = [0, 0];
  for (const [, letter, rest] of path.matchAll(/([MLC])([^MLC]*)/g)) {
    const numbers = rest!.trim().split(/\s+/).map(Number);
    const from: [number, number] = [x, y];
    if (letter === 'L') {
      [x, y] = numbers as [number, number];
      points.push(from, [x, y]);
    } else if (letter === 'M') {
      [x, y] = numbers as [number, number];
    } else {
      const [ax, ay, bx, by, ex, ey] = numbers as [
        number,
        number,
        number,
        number,
        number,
        number
      ];
      for (let t = 0; t <= 1; t += 0.05) {
        const s = 1 - t;
        const at = (p: number, a: number, b: number, e: number) =>
          s ** 3 * p + 3 * s * s * t * a + 3 * s * t * t * b + t ** 3 * e;
        points.push([at(from[0], ax, bx, ex), at(from[1], ay, by, ey)]);
      }
      [x, y] = [ex, ey];
    }
  }
  return points;
}

/** Edges that run beneath a step which they have nothing to do with. */
function beneath({ steps, edges }: ILayout): string[] {
  return edges.flatMap(edge => {
    const points = along(edge.path);
    return steps
      .filter(
        ({ x, y, step }) =>
          step.name !== edge.from &&
          step.name !== edge.to &&
          points.some(
            ([px, py]) =>
              px > x && px < x + SIZES.width && py > y && py < y + SIZES.height
          )
      )
      .map(({ step }) => `${edge.from}→${edge.to} under ${step.name}`);
  });
}

/** Pairs of edges of different steps whose lines cross. */
function crossing({ edges }: ILayout): number {
  const segments = edges.flatMap(({ from, to, points }) =>
    points.slice(1).map((end, index) => ({
      from,
      to,
      start: points[index]!,
      end
    }))
  );
  const pairs = new Set<string>();
  for (const [index, a] of segments.entries()) {
    for (const b of segments.slice(index + 1)) {
      if (
        a.from !== b.from &&
        a.to !== b.to &&
        a.start[0] === b.start[0] &&
        a.end[0] === b.end[0] &&
        (a.start[1] - b.start[1]) * (a.end[1] - b.end[1]) < 0
      ) {
        pairs.add([a.from, a.to, b.from, b.to].join(' '));
      }
    }
  }
  return pairs.size;
}

/** The same pseudo-random numbers each time. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function tangle(seed: number, count: number, before = 12): GraphStep[] {
  const next = chance(seed);
  const after: Record<string, string[]> = {};
  for (let i = 0; i < count; i += 1) {
    const wanted = i === 0 ? 0 : Math.floor(next() * 4);
    after[`s${i}`] = Array.from(
      { length: wanted },
      () => `s${Math.max(0, i - 1 - Math.floor(next() * before))}`
    );
  }
  return graphOf(after);
}

const FLIGHTS = graphOf({
  collect: [],
  prepare: ['collect'],
  train: ['prepare'],
  evaluate: ['train', 'prepare'],
  publish: ['evaluate']
});

describe('layOut', () => {
  it('draws nothing of nothing', () => {
    expect(layOut([])).toEqual({
      steps: [],
      edges: [],
      width: 0,
      height: 0,
      down: false
    });
  });

  it('puts a chain on one level line', () => {
    const { steps, edges } = layOut(
      graphOf({ a: [], b: ['a'], c: ['b'], d: ['c'] })
    );
    expect(new Set(steps.map(({ y }) => y)).size).toBe(1);
    expect(steps.map(({ x }) => x)).toEqual(
      [...steps.map(({ x }) => x)].sort((a, b) => a - b)
    );
    expect(edges).toHaveLength(3);
  });

  it('leaves room between steps, and none beneath them', () => {
    for (const graph of [
      FLIGHTS,
      tangle(1, 30),
      tangle(2, 80),
      tangle(3, 200, 60)
    ]) {
      const layout = layOut(graph);
      expect(layout.steps).toHaveLength(graph.length);
      expect(overlapping(layout)).toEqual([]);
      expect(beneath(layout)).toEqual([]);
    }
  });

  it('goes from top to bottom where that is asked for', () => {
    const graph = tangle(6, 80);
    graph[70] = { ...graph[70]!, when: 's1.auc > 0.7 and s1.rows > 100' };
    const layout = layOut(graph, step => step.when, true);
    expect(overlapping(layout)).toEqual([]);
    expect(beneath(layout)).toEqual([]);
    const top = new Map(layout.steps.map(({ step, y }) => [step.name, y]));
    for (const { from, to, points } of layout.edges) {
      expect(top.get(from)! + SIZES.height).toBeLessThan(top.get(to)!);
      const places = points.map(([, y]) => y);
      expect(places).toEqual([...places].sort((a, b) => a - b));
    }
    const across = layOut(FLIGHTS);
    const down = layOut(FLIGHTS, step => step.when, true);
    expect(down.height).toBeGreaterThan(down.width);
    expect(across.width).toBeGreaterThan(across.height);
  });

  it('keeps everything on the sheet', () => {
    const { steps, edges, width, height } = layOut(tangle(4, 60));
    for (const [x, y] of [
      ...steps.map(step => [step.x, step.y] as const),
      ...steps.map(
        step => [step.x + SIZES.width, step.y + SIZES.height] as const
      ),
      ...edges.flatMap(({ points }) => points)
    ]) {
      expect(x).toBeGreaterThanOrEqual(0);
      expect(y).toBeGreaterThanOrEqual(0);
      expect(x).toBeLessThanOrEqual(width);
      expect(y).toBeLessThanOrEqual(height);
    }
  });

  it('never leads an edge back', () => {
    for (const { points } of layOut(tangle(5, 120)).edges) {
      const places = points.map(([x]) => x);
      expect(places).toEqual([...places].sort((a, b) => a - b));
    }
  });

  it('has an edge for each step that another waits for', () => {
    expect(
      layOut(FLIGHTS).edges.map(({ from, to }) => `${from} ${to}`)
    ).toEqual([
      'collect prepare',
      'prepare train',
      'train evaluate',
      'prepare evaluate',
      'evaluate publish'
    ]);
  });

  it('leaves out what is not there and what would go back', () => {
    const graph: GraphStep[] = [
      { ...FLIGHTS[0]!, after: ['gone', 'prepare'] },
      FLIGHTS[1]!
    ];
    expect(layOut(graph).edges.map(({ from, to }) => [from, to])).toEqual([
      ['collect', 'prepare']
    ]);
  });

  it.each([
    ['two rails written crosswise', { a: [], b: [], c: ['b'], d: ['a'] }, 0],
    [
      'a fan of three, joined again in another order',
      {
        a: [],
        b: ['a'],
        c: ['a'],
        d: ['a'],
        x: ['d'],
        y: ['c'],
        z: ['b'],
        end: ['z', 'x', 'y']
      },
      0
    ],
    [
      'two trees side by side',
      {
        a: [],
        b: [],
        a1: ['a'],
        b1: ['b'],
        a2: ['a'],
        b2: ['b'],
        a3: ['a1', 'a2'],
        b3: ['b1', 'b2']
      },
      0
    ],
    [
      'two that both feed two',
      { a: [], b: [], c: ['a', 'b'], d: ['a', 'b'] },
      1
    ],
    [
      // the least that is possible
      'three that all feed three',
      {
        a: [],
        b: [],
        c: [],
        x: ['a', 'b', 'c'],
        y: ['a', 'b', 'c'],
        z: ['a', 'b', 'c']
      },
      9
    ]
  ])('crosses no more lines than it must: %s', (_, after, fewest) => {
    const layout = layOut(graphOf(after));
    // lines to and from one step meet there and are not counted
    expect(crossing(layout)).toBeLessThanOrEqual(fewest);
  });

  it('crosses far fewer lines than the order of the file does', () => {
    const next = chance(7);
    const after: Record<string, string[]> = {};
    // ten chains of five, their steps written in any order within each column
    for (let column = 0; column < 5; column += 1) {
      const rails = Array.from({ length: 10 }, (_, i) => i);
      rails.sort(
        (a, b) =>
          ((a * 7 + column * 3) % 10) - ((b * 7 + column * 3) % 10) ||
          next() - 0.5
      );
      for (const rail of rails) {
        after[`r${rail}c${column}`] =
          column > 0 ? [`r${rail}c${column - 1}`] : [];
      }
    }
    expect(crossing(layOut(graphOf(after)))).toBe(0);
  });

  it('is the same each time', () => {
    expect(layOut(tangle(8, 90))).toEqual(layOut(tangle(8, 90)));
  });

  it('says a condition on the one edge from where it looks', () => {
    const graph = graphOf({
      a: [],
      evaluate: ['a'],
      b: ['a'],
      gate: ['b', 'evaluate']
    });
    graph[3] = { ...graph[3]!, when: 'evaluate.auc > 0.7' };
    const { edges, steps } = layOut(graph);
    expect(
      edges
        .filter(({ label }) => label)
        .map(({ from, to, label }) => [from, to, label])
    ).toEqual([['evaluate', 'gate', 'evaluate.auc > 0.7']]);
    const gate = steps.find(({ step }) => step.name === 'gate')!;
    const edge = edges.find(({ label }) => label)!;
    expect(edge.labelX).toBeLessThan(gate.x);
    expect(edge.labelX).toBeGreaterThan(
      steps.find(({ step }) => step.name === 'evaluate')!.x + SIZES.width
    );
  });

  it('lays out 200 steps in under 50 ms', () => {
    const graph = tangle(9, 200);
    // of the processor, and the fastest of some: what other processes take does not count
    const takes = () => {
      const start = cpuUsage();
      layOut(graph);
      const { user, system } = cpuUsage(start);
      return (user + system) / 1000;
    };
    expect(Math.min(...Array.from({ length: 8 }, takes))).toBeLessThan(50);
  });

  it('is not held up by a last step that waits for all of 200', () => {
    const names = Array.from({ length: 200 }, (_, i) => `s${i}`);
    const graph = graphOf(
      Object.fromEntries([
        ...names.map(
          (name, i) => [name, i > 0 ? [names[i - 1]!] : []] as const
        ),
        ['report', names] as const
      ])
    );
    const layout = layOut(graph);
    // 20,000 lanes, and still no line beneath a step
    expect(layout.edges).toHaveLength(199 + 200);
    expect(overlapping(layout)).toEqual([]);
  });
});
