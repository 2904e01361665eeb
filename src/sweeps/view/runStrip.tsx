import type { TranslationBundle } from '@jupyterlab/translation';
import { closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';
import type { Run, RunError, RunSummary, Sweep } from '../../api/schema';
import { RUN_CLASS } from '../../model/commandIds';
import { isOver } from '../../model/states';
import { Facts } from '../../ui/facts';
import { formatBytes, formatDuration, fullTime } from '../../ui/format';
import { metricText, valueText } from './columns';
import { canOpen, Duration, type IRunActions } from './runRow';
import { runWord } from './sweepStates';
import { KernelStart, TimeSpent } from './timeSpent';

export interface IRunStripProps {
  sweep: Sweep;
  run: RunSummary;
  /** Null while they are being fetched. */
  details: Run | null;
  actions: IRunActions;
  trans: TranslationBundle;
  onClose(): void;
}

/** All that is known of the selected run. */
export function RunStrip(props: IRunStripProps): JSX.Element {
  const { run, details, sweep, trans } = props;
  return (
    <section
      className={`jp-MlopsStrip ${RUN_CLASS}`}
      data-run-id={run.id}
      aria-label={trans.__('Run %1', run.index + 1)}
    >
      <StripHead {...props} />
      <div className="jp-MlopsStrip-body" tabIndex={0}>
        {details?.error ? (
          <Failure error={details.error} trans={trans} />
        ) : (
          (details ?? run).message && <p>{(details ?? run).message}</p>
        )}
        {details?.warnings.map(warning => (
          <div key={warning} className="jp-MlopsProblem jp-mod-warning">
            {warning}
          </div>
        ))}
        <div className="jp-MlopsStrip-columns">
          <Group
            title={trans.__('Parameters')}
            empty={trans.__('The notebook’s own values.')}
            facts={Object.entries({
              ...run.parameters,
              ...sweep.defaults,
              ...run.parameters
            }).map(([name, value]) => [
              name,
              <span
                key={name}
                className="jp-MlopsValue"
                data-varied={sweep.varied.includes(name)}
              >
                {name in run.parameters ? (
                  valueText(value, sweep.language)
                ) : (
                  <span className="jp-MlopsHint">
                    {trans.__('%1 (default)', valueText(value, sweep.language))}
                  </span>
                )}
              </span>
            ])}
          />
          <Group
            title={trans.__('Metrics')}
            empty={
              run.state === 'succeeded'
                ? trans.__(
                    'None. Log one with mlflow.log_metric, or name a variable that is a number after the last cell.'
                  )
                : isOver(run.state)
                  ? trans.__('None.')
                  : trans.__('None yet.')
            }
            facts={Object.entries({
              ...run.metrics,
              ...run.not_finite
            }).map(([name, value]) => [
              name,
              <span key={name} className="jp-MlopsValue" title={String(value)}>
                {typeof value === 'string' ? value : metricText(value)}
                {run.id === sweep.best_run_id &&
                name === sweep.objective?.metric
                  ? ' ★'
                  : ''}
              </span>
            ])}
          />
          <Group
            title={trans.__('Execution')}
            empty=""
            facts={execution(run, details, trans)}
          />
        </div>
      </div>
    </section>
  );
}

function StripHead(props: IRunStripProps): JSX.Element {
  const { run, actions, trans } = props;
  return (
    <div className="jp-MlopsStrip-head">
      <span className="jp-MlopsDot" data-state={run.state} aria-hidden="true" />
      <h2>{trans.__('Run %1', run.index + 1)}</h2>
      <span className="jp-MlopsStrip-state">{runWord(run.state, trans)}</span>
      <span className="jp-MlopsHead-tools">
        <button
          type="button"
          className="jp-MlopsTool jp-mod-primary"
          disabled={!canOpen(run)}
          onClick={() => actions.open(run)}
        >
          {trans.__('Open Notebook')}
        </button>
        {actions.canPromote(run) && (
          <button
            type="button"
            className="jp-MlopsTool"
            title={trans.__('Let it run by itself, on time')}
            onClick={() => actions.promote(run)}
          >
            {trans.__('Promote')}
          </button>
        )}
        {!isOver(run.state) && (
          <button
            type="button"
            className="jp-MlopsTool"
            disabled={run.stop_requested}
            onClick={() => actions.stop(run)}
          >
            {run.stop_requested ? trans.__('Stopping') : trans.__('Stop Run')}
          </button>
        )}
        {run.mlflow_run_id && (
          <button
            type="button"
            className="jp-MlopsTool"
            onClick={() => actions.mlflow(run)}
          >
            {trans.__('MLflow')}
          </button>
        )}
        <button
          type="button"
          className="jp-MlopsIconButton"
          title={trans.__('Close these details')}
          aria-label={trans.__('Close these details')}
          onClick={props.onClose}
        >
          <closeIcon.react tag="span" width="16px" height="16px" />
        </button>
      </span>
    </div>
  );
}

function Failure(props: {
  error: RunError;
  trans: TranslationBundle;
}): JSX.Element {
  const { trans } = props;
  const { name, message, traceback } = props.error;
  return (
    <>
      <div className="jp-MlopsProblem" role="alert">
        {message.includes(name) ? '' : `${name}: `}
        {message}
      </div>
      {traceback && (
        <pre
          className="jp-MlopsTraceback"
          tabIndex={0}
          aria-label={trans.__('Traceback')}
        >
          {traceback}
        </pre>
      )}
    </>
  );
}

function Group(props: {
  title: string;
  empty: string;
  facts: readonly (readonly [string, React.ReactNode])[];
}): JSX.Element {
  return (
    <div className="jp-MlopsStrip-group">
      <h3>{props.title}</h3>
      {props.facts.length > 0 ? (
        <Facts facts={props.facts} />
      ) : (
        <p className="jp-MlopsHint">{props.empty}</p>
      )}
    </div>
  );
}

function execution(
  run: RunSummary,
  details: Run | null,
  trans: TranslationBundle
): (readonly [string, React.ReactNode])[] {
  return [
    [
      trans.__('Duration'),
      run.started_at ? <Duration key="duration" run={run} /> : ''
    ],
    [
      trans.__('Time spent'),
      details?.timing ? (
        <TimeSpent key="spent" timing={details.timing} trans={trans} />
      ) : (
        ''
      )
    ],
    [
      trans.__('Kernel'),
      details?.kernel_start ? (
        <KernelStart key="kernel" run={details} trans={trans} />
      ) : (
        ''
      )
    ],
    [trans.__('Queued'), fullTime(details?.queued_at ?? null)],
    [trans.__('Started'), fullTime(run.started_at)],
    [trans.__('Ended'), fullTime(run.ended_at)],
    [
      trans.__('Cells'),
      run.cells > 0 ? trans.__('%1 of %2', run.cell, run.cells) : ''
    ],
    [
      trans.__('Memory'),
      details && details.peak_memory !== null
        ? trans.__('%1 at most', formatBytes(details.peak_memory))
        : ''
    ],
    [
      trans.__('CPU'),
      details && details.cpu_seconds !== null
        ? formatDuration(details.cpu_seconds)
        : ''
    ],
    [trans.__('Attempt'), String(run.attempt)],
    [trans.__('Worker'), run.worker],
    [trans.__('MLflow'), run.tracked ? trans.__('recorded') : ''],
    [trans.__('Id'), run.id]
  ];
}
