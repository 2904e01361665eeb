/** Graphs as the server makes them. */
import type { GraphStep } from '../api/schema';

/** From what each step waits for; a step is one layer behind the last of these. */
export function graphOf(
  after: Readonly<Record<string, readonly string[]>>,
  change: Readonly<Record<string, Partial<GraphStep>>> = {}
): GraphStep[] {
  const layer = (name: string): number =>
    Math.max(-1, ...(after[name] ?? []).map(layer)) + 1;
  const known = new Map<string, number>();
  return Object.entries(after).map(([name, before]) => {
    const own =
      Math.max(-1, ...before.map(other => known.get(other) ?? layer(other))) +
      1;
    known.set(name, own);
    return {
      name,
      notebook: `${name}.ipynb`,
      sweep: false,
      outputs: [],
      after: [...new Set(before)],
      when: '',
      run_if: 'succeeded',
      layer: own,
      ...change[name]
    };
  });
}
