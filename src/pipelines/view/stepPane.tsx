import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type {
  GraphStep,
  InputFile,
  PipelineRunDetails,
  StepRun
} from '../../api/schema';
import { CommandIDs } from '../../model/commandIds';
import { CommandButton } from '../../ui/commandButton';
import { Facts } from '../../ui/facts';
import {
  formatBytes,
  formatDuration,
  fullTime,
  valueText
} from '../../ui/format';
import {
  edgeWords,
  isRepeatable,
  isStepOver,
  secondsOf,
  stepWord,
  tryState
} from '../../ui/pipelineStates';
import { StateIcon } from '../../ui/stateIcon';
import { useNow } from '../../ui/useNow';
import type { Attempts, IPipelineActions } from './pipelineActions';

export interface IStepProps {
  details: PipelineRunDetails;
  step: GraphStep;
  /** What became of it; undefined where the run has nothing of it yet. */
  run: StepRun | undefined;
  attempts: Attempts;
  actions: IPipelineActions;
  trans: TranslationBundle;
}

/** All that is known of the selected step of a run. */
export function StepPane(props: IStepProps): JSX.Element {
  const { step, run, trans } = props;
  return (
    <section
      className="jp-MlopsStepPane"
      data-step={step.name}
      aria-label={trans.__('Step %1', step.name)}
    >
      <Head {...props} />
      {run?.error && <Failure run={run} trans={trans} />}
      {run && !run.error && run.message && <p>{run.message}</p>}
      {run?.reused && (
        <p className="jp-MlopsHint">
          {trans.__(
            'Notebook, parameters, inputs and environment are those of an earlier run, so its result was taken.'
          )}
        </p>
      )}
      <div className="jp-MlopsStepPane-columns">
        <Values
          title={trans.__('Parameters')}
          values={{
            ...run?.parameters,
            ...Object.fromEntries(
              Object.entries(run?.defaults ?? {}).map(([name, value]) => [
                name,
                trans.__('%1 (default)', valueText(value))
              ])
            )
          }}
          empty={trans.__('The notebook’s own values.')}
        />
        <Values
          title={trans.__('Outputs')}
          values={run?.outputs ?? {}}
          empty={trans.__('None are handed on.')}
        />
        <div>
          <h4>{trans.__('Execution')}</h4>
          <Facts facts={execution(props)} />
        </div>
      </div>
      {run && run.inputs.length > 0 && (
        <Inputs files={run.inputs} trans={trans} />
      )}
      <Attempted {...props} />
    </section>
  );
}

function Head(props: IStepProps): JSX.Element {
  const { details, step, run, actions, trans } = props;
  const sweep = run?.sweeps.at(-1);
  const tool = (label: string, act: () => void, primary = false) => (
    <button
      type="button"
      className={primary ? 'jp-MlopsTool jp-mod-primary' : 'jp-MlopsTool'}
      onClick={act}
    >
      {label}
    </button>
  );
  return (
    <div className="jp-MlopsStepPane-head" data-state={run?.state}>
      {run && <StateIcon state={run.state} />}
      <h3>{step.name}</h3>
      {run && <span>{stepWord(run.state, trans)}</span>}
      <span className="jp-MlopsHead-tools">
        {tool(
          trans.__('Open Notebook'),
          () => actions.openNotebook(step, run),
          true
        )}
        {step.sweep &&
          sweep &&
          tool(trans.__('Open Sweep'), () =>
            actions.execute(CommandIDs.openSweep, { id: sweep })
          )}
        {run?.notebook_run &&
          tool(trans.__('MLflow'), () => actions.openMlflow(run))}
        {isRepeatable(details.run.state) && (
          <CommandButton
            command={CommandIDs.retryPipelineRun}
            args={{ id: details.run.id, step: step.name }}
            commands={actions.commands}
            label={trans.__('Retry from This Step')}
          />
        )}
      </span>
    </div>
  );
}

function Failure(props: {
  run: StepRun;
  trans: TranslationBundle;
}): JSX.Element {
  const { name, message, traceback } = props.run.error!;
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
          aria-label={props.trans.__('Traceback')}
        >
          {traceback}
        </pre>
      )}
    </>
  );
}

function Values(props: {
  title: string;
  values: Record<string, unknown>;
  empty: string;
}): JSX.Element {
  const facts = Object.entries(props.values).map(
    ([name, value]) =>
      [
        name,
        <span key={name} className="jp-MlopsValue">
          {valueText(value)}
        </span>
      ] as const
  );
  return (
    <div>
      <h4>{props.title}</h4>
      {facts.length > 0 ? (
        <Facts facts={facts} />
      ) : (
        <p className="jp-MlopsHint">{props.empty}</p>
      )}
    </div>
  );
}

function Inputs(props: {
  files: readonly InputFile[];
  trans: TranslationBundle;
}): JSX.Element {
  const { files, trans } = props;
  return (
    <div>
      <h4>
        {trans._n('%1 file was read', '%1 files were read', files.length)}
      </h4>
      <ul className="jp-MlopsFiles" tabIndex={0}>
        {files.map(({ path, sha256, size }) => (
          <li key={path}>
            <span title={path}>{path}</span>
            <span>{formatBytes(size)}</span>
            <code
              title={
                sha256 ||
                trans.__('It was gone, or too large to be read once more.')
              }
            >
              {sha256.slice(0, 10) || '–'}
            </code>
          </li>
        ))}
      </ul>
    </div>
  );
}

function execution(props: IStepProps): (readonly [string, React.ReactNode])[] {
  const { step, run, trans } = props;
  return [
    [trans.__('Notebook'), step.notebook],
    [trans.__('After'), step.after.join(', ')],
    [trans.__('Condition'), edgeWords(step, trans)],
    [
      trans.__('Duration'),
      run?.started_at ? <Duration key="duration" run={run} /> : ''
    ],
    [trans.__('Started'), fullTime(run?.started_at ?? null)],
    [trans.__('Ended'), fullTime(run?.ended_at ?? null)],
    [trans.__('Repeated at'), fullTime(run?.retry_at ?? null)],
    [trans.__('Failures'), run && run.failures > 0 ? String(run.failures) : '']
  ];
}

function Duration(props: { run: StepRun }): JSX.Element {
  const { run } = props;
  const over = isStepOver(run.state);
  const seconds = secondsOf(run, useNow(!over));
  return <>{seconds === null ? '' : formatDuration(seconds, over)}</>;
}

/** Each time it was tried, where that was more than once. */
function Attempted(props: IStepProps): JSX.Element | null {
  const { run, attempts, actions, trans } = props;
  if (!run || run.sweeps.length < 2) {
    return null;
  }
  return (
    <div>
      <h4>{trans.__('Tries')}</h4>
      <ol className="jp-MlopsTries">
        {run.sweeps.map((id, index) => {
          const sweep = attempts.get(id);
          return (
            <li key={id}>
              <button
                type="button"
                className="jp-MlopsLink"
                onClick={() => actions.execute(CommandIDs.openSweep, { id })}
              >
                {trans.__('Try %1', index + 1)}
              </button>
              {sweep && (
                <span>
                  {[
                    fullTime(sweep.started_at),
                    stepWord(tryState(sweep), trans),
                    sweep.message
                  ]
                    .filter(part => part !== '')
                    .join(' · ')}
                </span>
              )}
            </li>
          );
        })}
      </ol>
    </div>
  );
}
