/** Where a run's time went, and how its kernel was made. */
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { Run, Timing } from '../../api/schema';
import { formatSpan } from '../../ui/format';

interface IPart {
  name: keyof Timing;
  label: string;
  title: string;
}

function parts(trans: TranslationBundle): readonly IPart[] {
  return [
    {
      name: 'queue',
      label: trans.__('queue'),
      title: trans.__('Until a worker took it; no part of the duration')
    },
    {
      name: 'start',
      label: trans.__('start'),
      title: trans.__('Until the kernel was ready')
    },
    {
      name: 'cells',
      label: trans.__('cells'),
      title: trans.__('Until the last cell was done')
    },
    {
      name: 'finish',
      label: trans.__('finish'),
      title: trans.__(
        'Until metrics were read, the kernel was gone and the result was written'
      )
    }
  ];
}

/**
 * The four parts in words, and a bar of those that were the run's own: beside the wait of a sweep's
 * last run nothing else could be seen.
 */
export function TimeSpent(props: {
  timing: Timing;
  trans: TranslationBundle;
}): JSX.Element {
  const { timing, trans } = props;
  const all = parts(trans);
  const own = all.filter(({ name }) => name !== 'queue');
  const whole = own.reduce((sum, { name }) => sum + timing[name], 0);
  const said = ({ name, label }: IPart) =>
    `${label} ${formatSpan(timing[name])}`;
  return (
    <div className="jp-MlopsSpent">
      {whole > 0 && (
        // the list below says the same
        <div className="jp-MlopsSpent-bar" aria-hidden="true">
          {own.map(part => (
            <span
              key={part.name}
              data-part={part.name}
              title={`${said(part)}\n${part.title}`}
              style={{ flexGrow: timing[part.name] / whole }}
            />
          ))}
        </div>
      )}
      <ul className="jp-MlopsSpent-parts" aria-label={trans.__('Time spent')}>
        {all.map(part => (
          <li key={part.name} data-part={part.name} title={part.title}>
            {said(part)}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** How the kernel was made, and why not in a faster way; null while that is not known. */
export function KernelStart(props: {
  run: Run;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { run, trans } = props;
  const words = startWords(run.kernel_start, trans);
  if (!words) {
    return null;
  }
  return (
    <>
      <span data-kernel-start={run.kernel_start} title={words[1]}>
        {words[0]}
      </span>
      {run.kernel_reason && (
        <span className="jp-MlopsSpent-reason">{run.kernel_reason}</span>
      )}
    </>
  );
}

function startWords(
  start: Run['kernel_start'],
  trans: TranslationBundle
): readonly [string, string] | null {
  switch (start) {
    case 'shared':
      return [
        trans.__('shared cells'),
        trans.__('It went on from a process in which the first cells had run')
      ];
    case 'warm':
      return [
        trans.__('warm'),
        trans.__('It came from a process in which the imports were done')
      ];
    case 'fresh':
      return [trans.__('fresh'), trans.__('It was a new process')];
    case '':
      return null;
  }
}
