/** Requests for a sweep: the default one, and what differs from it. */
import type { SweepRequest } from '../api/schema';

/** What a sweep of a notebook is when nobody has said anything. */
export function emptyRequest(path: string): SweepRequest {
  return {
    path,
    space: {},
    sampler: { kind: 'grid', count: null, seed: 0 },
    objective: null,
    objectives: [],
    metrics: [],
    kernel: '',
    target: 'local',
    slots: null,
    name: '',
    experiment: '',
    cell_timeout: null,
    run_timeout: null,
    max_output: null,
    shared_prefix: false
  };
}

/** A request without its path and without what is the default anyway: what a notebook carries. */
export function compact(request: SweepRequest): Partial<SweepRequest> {
  const empty = emptyRequest(request.path);
  return Object.fromEntries(
    Object.entries(request).filter(
      ([key, value]) =>
        key !== 'path' &&
        // a single objective stands in the field of its own
        !(key === 'objectives' && request.objectives.length < 2) &&
        JSON.stringify(value) !==
          JSON.stringify(empty[key as keyof SweepRequest])
    )
  );
}
