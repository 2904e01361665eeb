/** What the model does not keep, asked of the server by who shows it. */
import * as React from 'react';
import type { Client } from '../../api/client';
import type {
  CronCheck,
  ServiceKeep,
  StepRun,
  Sweep,
  Trigger,
  VersionDiff
} from '../../api/schema';
import type { Attempts } from './pipelineActions';

/** An answer for as long as its question is the same; the reason where there is none. */
export function useAnswer<T>(
  question: string | null,
  ask: () => Promise<T>
): { answer: T | null; error: string } {
  const [known, setKnown] = React.useState<{
    question: string;
    answer: T | null;
    error: string;
  } | null>(null);
  const latest = React.useRef(ask);
  latest.current = ask;
  React.useEffect(() => {
    if (question === null) {
      return undefined;
    }
    let wanted = true;
    const take = (answer: T | null, error: string) => {
      if (wanted) {
        setKnown({ question, answer, error });
      }
    };
    latest.current().then(
      answer => take(answer, ''),
      (reason: unknown) =>
        take(null, reason instanceof Error ? reason.message : String(reason))
    );
    return () => {
      wanted = false;
    };
  }, [question]);
  return known?.question === question ? known : { answer: null, error: '' };
}

/** A cron line in words, with its next times; asked again when it has fired. */
export function useCron(trigger: Trigger, client: Client): CronCheck | null {
  const { kind, cron, zone, next_at } = trigger;
  return useAnswer(
    kind === 'cron' ? [cron, zone, next_at].join('|') : null,
    () => client.checkCron({ cron, zone })
  ).answer;
}

export function useDiff(
  client: Client,
  pipelineId: string,
  older: number,
  newer: number
): { answer: VersionDiff | null; error: string } {
  return useAnswer(
    older === newer ? null : [pipelineId, older, newer].join('|'),
    () => client.versionDiff(pipelineId, older, newer)
  );
}

/** Whether a service can be installed; asked where it would make a difference. */
export function useKeep(
  client: Client,
  keeper: string | null
): ServiceKeep | null {
  return useAnswer(keeper, () => client.serviceKeep()).answer;
}

/** The sweeps of steps that were tried more than once, so that each try has its time. */
export function useAttempts(
  steps: readonly StepRun[],
  client: Client
): Attempts {
  const repeated = steps.filter(({ sweeps }) => sweeps.length > 1);
  const ids = repeated.flatMap(({ sweeps }) => sweeps);
  const { answer } = useAnswer(
    // asked again when a try began or ended
    ids.length > 0
      ? repeated.flatMap(({ sweeps, state }) => [...sweeps, state]).join('|')
      : null,
    async () => {
      const found = await Promise.allSettled(ids.map(id => client.sweep(id)));
      return new Map(
        found
          // one that was purged is missing in the drawing, too
          .filter(result => result.status === 'fulfilled')
          .map(({ value }): [string, Sweep] => [value.id, value])
      );
    }
  );
  return answer ?? NONE;
}

const NONE: Attempts = new Map();
