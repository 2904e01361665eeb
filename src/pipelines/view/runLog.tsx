import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { PipelineRun } from '../../api/schema';
import { Facts } from '../../ui/facts';
import { fullTime, valueText } from '../../ui/format';

/** With which values a run was started. */
export function Parameters(props: {
  run: PipelineRun;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { run, trans } = props;
  const entries = Object.entries(run.parameters);
  return entries.length === 0 ? null : (
    <div>
      <h4>{trans.__('Parameters of the run')}</h4>
      <Facts
        facts={entries.map(([name, value]) => [
          name,
          <span key={name} className="jp-MlopsValue">
            {valueText(value)}
          </span>
        ])}
      />
    </div>
  );
}

/** What a person should know of its way: repetitions, losses, skips. */
export function Log(props: {
  run: PipelineRun;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { run, trans } = props;
  return run.log.length === 0 ? null : (
    <div>
      <h4>{trans.__('What happened')}</h4>
      <ol
        className="jp-MlopsRunLog"
        tabIndex={0}
        aria-label={trans.__('What happened')}
      >
        {run.log.map((line, index) => (
          <li key={index}>
            <time dateTime={line.at} title={fullTime(line.at)}>
              {new Date(line.at).toLocaleTimeString()}
            </time>
            {line.step && <strong>{line.step}</strong>}
            <span>{line.text}</span>
          </li>
        ))}
      </ol>
    </div>
  );
}
