import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { Client } from '../../api/client';
import type { CronCheck } from '../../api/schema';
import { fullTime } from '../format';
import { ownZone, wallTime } from './cronPresets';

/** Milliseconds of silence after which what was typed is looked at. */
const DELAY = 200;

export type CronClient = Pick<Client, 'checkCron'>;

/** What the server says of a schedule; the answer before while a new one is on its way. */
export function useCronCheck(
  client: CronClient,
  cron: string,
  zone: string
): CronCheck | null {
  const [check, setCheck] = React.useState<CronCheck | null>(null);
  React.useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    const timer = setTimeout(() => {
      client.checkCron({ cron, zone }, signal).then(
        answer => {
          if (!signal.aborted) {
            setCheck(answer);
          }
        },
        (error: unknown) => {
          if (!signal.aborted) {
            const message =
              error instanceof Error ? error.message : String(error);
            setCheck({ words: '', next: [], error: message, field: '' });
          }
        }
      );
    }, DELAY);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [client, cron, zone]);
  return check;
}

/** A schedule in words, and when it fires next. */
export function Preview(props: {
  check: CronCheck | null;
  zone: string;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { check, zone, trans } = props;
  if (!check) {
    return <p className="jp-MlopsAsk-help">{trans.__('Looking…')}</p>;
  }
  if (check.error) {
    // what belongs to one field is said beside it
    return check.field ? null : (
      <p className="jp-MlopsField-error" role="alert">
        {check.error}
      </p>
    );
  }
  const away = zone !== ownZone();
  return (
    <div className="jp-MlopsPreview" aria-live="polite">
      <p className="jp-MlopsPreview-words">{check.words}</p>
      {check.next.length > 0 && (
        <>
          <span className="jp-MlopsAsk-help">
            {trans.__('Next, by the clock of %1:', zone)}
          </span>
          <ol aria-label={trans.__('Next times')}>
            {check.next.map(iso => (
              <li
                key={iso}
                title={away ? trans.__('%1 here', fullTime(iso)) : iso}
              >
                <time dateTime={iso}>{wallTime(iso)}</time>
              </li>
            ))}
          </ol>
        </>
      )}
    </div>
  );
}
