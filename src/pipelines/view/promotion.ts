/** What a person says of a promotion, and the request that it is. */
import type {
  Alerts,
  PipelineDefinition,
  PipelineDetails,
  PromoteRequest,
  ScheduleRequest,
  SecretRef
} from '../../api/schema';

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
  /** Addresses that are secrets: known by where they are found, and not to be edited here. */
  secretAddresses: readonly SecretRef[];
  alerts: Alerts['on'];
  /** Seconds after which a run is slow; null lets past runs tell. */
  slow: number | null;
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
    secretAddresses: [],
    alerts: ['failure', 'recovery'],
    slow: null,
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
    ...policiesOf(said)
  };
}

/** Who is told, and which runs are kept. */
export function policiesOf(
  said: IPromotion
): Pick<PromoteRequest, 'alerts' | 'retention'> {
  const addresses = said.addresses.split('\n').map(line => line.trim());
  return {
    alerts: {
      to: [...addresses.filter(Boolean), ...said.secretAddresses],
      on: said.alerts,
      slow: said.slow
    },
    retention: { runs: said.keepRuns, days: said.keepDays }
  };
}

/** As `policiesOf`, the other way round. */
export function policiesIn({
  alerts,
  retention
}: PipelineDefinition): Partial<IPromotion> {
  return {
    addresses: alerts.to.filter(to => typeof to === 'string').join('\n'),
    secretAddresses: alerts.to.filter(to => typeof to !== 'string'),
    alerts: alerts.on,
    slow: alerts.slow,
    keepRuns: retention.runs,
    keepDays: retention.days
  };
}

/** What the version before says, so that a new one does not forget it; of a notebook's pipeline. */
export function inherited(details: PipelineDetails): Partial<IPromotion> {
  const { pipeline, versions } = details;
  const definition = versions.find(
    ({ number }) => number === pipeline.version
  )?.definition;
  const [step, ...more] = Object.values(definition?.steps ?? {});
  if (!definition || !step || more.length > 0) {
    return {};
  }
  return {
    retries: step.retries,
    timeout: step.timeout === null ? null : step.timeout / 60,
    outputs: step.outputs.join(', '),
    environment: definition.environment,
    ...policiesIn(definition)
  };
}

/** A name to begin with: of the file, without what all such files end with. */
export function nameOf(path: string): string {
  const file = path.split('/').pop() ?? path;
  return file.replace(/(\.pipeline\.yaml|\.[^.]+)$/, '');
}
