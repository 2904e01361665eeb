/** What a person says of a promotion, and the request that it is. */
import type { Alerts, PromoteRequest, ScheduleRequest } from '../../api/schema';

/** Exactly one is given. */
export interface IPromoted {
  runId?: string;
  sweepId?: string;
  path?: string;
}

export interface IPromotion {
  /** Empty: a new one. */
  pipelineId: string;
  name: string;
  schedule: ScheduleRequest | null;
  note: string;
  retries: number;
  /** Minutes; null for no limit. */
  timeout: number | null;
  environment: PromoteRequest['environment'];
  /** Names, apart from each other by commas or spaces. */
  outputs: string;
  /** One a line. */
  addresses: string;
  alerts: Alerts['on'];
  keepRuns: number | null;
  keepDays: number | null;
}

export function newPromotion(change: Partial<IPromotion>): IPromotion {
  return {
    pipelineId: '',
    name: '',
    schedule: null,
    note: '',
    retries: 0,
    timeout: null,
    environment: 'warn',
    outputs: '',
    addresses: '',
    alerts: ['failure', 'recovery'],
    keepRuns: null,
    keepDays: null,
    ...change
  };
}

/** The request; a pipeline file says most things itself, so they are left out with it. */
export function requestOf(
  promoted: IPromoted,
  said: IPromotion,
  isFile: boolean
): Partial<PromoteRequest> {
  const request: Partial<PromoteRequest> = {
    ...(promoted.runId && { run_id: promoted.runId }),
    ...(promoted.sweepId && { sweep_id: promoted.sweepId }),
    ...(promoted.path && { path: promoted.path }),
    pipeline_id: said.pipelineId,
    // an old one keeps its name
    name: said.pipelineId ? '' : said.name.trim(),
    note: said.note.trim(),
    schedule: said.schedule
  };
  if (isFile) {
    return request;
  }
  return {
    ...request,
    retries: said.retries,
    timeout: said.timeout === null ? null : said.timeout * 60,
    environment: said.environment,
    outputs: said.outputs.split(/[\s,]+/).filter(Boolean),
    alerts: {
      to: said.addresses
        .split('\n')
        .map(line => line.trim())
        .filter(Boolean),
      on: said.alerts,
      slow: null
    },
    retention: { runs: said.keepRuns, days: said.keepDays }
  };
}

/** A name to begin with: of the file, without what all such files end with. */
export function nameOf(path: string): string {
  const file = path.split('/').pop() ?? path;
  return file.replace(/(\.pipeline\.yaml|\.[^.]+)$/, '');
}
