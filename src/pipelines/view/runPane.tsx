import type { TranslationBundle } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import * as React from 'react';
import type {
  PipelineRun,
  PipelineRunDetails,
  StepRun
} from '../../api/schema';
import { Graph } from '../../graph/drawing';
import { CommandIDs } from '../../model/commandIds';
import { CommandButton } from '../../ui/commandButton';
import { formatDuration, fullTime } from '../../ui/format';
import {
  causeWord,
  isRepeatable,
  isRunOver,
  runWord,
  secondsOf
} from '../../ui/pipelineStates';
import { StateIcon } from '../../ui/stateIcon';
import { useNow } from '../../ui/useNow';
import { Gantt } from './gantt';
import type { Attempts, IPipelineActions } from './pipelineActions';
import { Log, Parameters } from './runLog';
import { StepPane } from './stepPane';

export interface IRunProps {
  details: PipelineRunDetails;
  attempts: Attempts;
  actions: IPipelineActions;
  trans: TranslationBundle;
}

/** One run: how it stands, its steps as graph or over time, and all of the selected step. */
export function RunPane(props: IRunProps): JSX.Element {
  const { details, attempts, actions, trans } = props;
  const { run, graph } = details;
  const [shape, setShape] = React.useState<'graph' | 'time'>('graph');
  const [chosen, setChosen] = React.useState<string | null>(null);
  const runs = React.useMemo(
    () => new Map(details.steps.map(step => [step.step, step])),
    [details.steps]
  );
  const selected = graph.some(({ name }) => name === chosen)
    ? chosen
    : telling(details);
  const step = graph.find(({ name }) => name === selected);
  const onOpen = React.useCallback(
    (name: string) => {
      const found = graph.find(other => other.name === name);
      if (found) {
        actions.openNotebook(found, runs.get(name));
      }
    },
    [graph, runs, actions]
  );
  return (
    <section
      className="jp-MlopsRunPane"
      data-run={run.id}
      aria-label={trans.__('Run %1', run.number)}
    >
      <Head {...props} />
      <Notes
        run={run}
        said={
          run.reason === 'step' &&
          !!selected &&
          !!runs.get(selected)?.error &&
          selected === firstOf(details, 'failed')
        }
        trans={trans}
      />
      <div className="jp-MlopsRunPane-shape" role="group">
        <Shape name="graph" shape={shape} onShape={setShape}>
          {trans.__('Graph')}
        </Shape>
        <Shape name="time" shape={shape} onShape={setShape}>
          {trans.__('Over time')}
        </Shape>
      </div>
      {shape === 'graph' ? (
        <Graph
          graph={graph}
          runs={runs}
          selected={selected}
          trans={trans}
          onSelect={setChosen}
          onOpen={onOpen}
        />
      ) : (
        <Gantt
          details={details}
          attempts={attempts}
          selected={selected}
          trans={trans}
          onSelect={setChosen}
          onOpen={onOpen}
        />
      )}
      {step && (
        <StepPane
          details={details}
          step={step}
          run={runs.get(step.name)}
          attempts={attempts}
          actions={actions}
          trans={trans}
        />
      )}
      <div className="jp-MlopsRunPane-more">
        <Parameters run={run} trans={trans} />
        <Log run={run} trans={trans} />
      </div>
    </section>
  );
}

/** The step that tells most of how a run stands, while nobody chose one. */
function telling(details: PipelineRunDetails): string | null {
  return (
    firstOf(details, 'failed') ??
    firstOf(details, 'running') ??
    firstOf(details, 'stopped') ??
    details.graph.at(-1)?.name ??
    null
  );
}

function firstOf(
  { steps }: PipelineRunDetails,
  state: StepRun['state']
): string | undefined {
  return steps.find(step => step.state === state)?.step;
}

function Shape(props: {
  name: 'graph' | 'time';
  shape: 'graph' | 'time';
  onShape(shape: 'graph' | 'time'): void;
  children: React.ReactNode;
}): JSX.Element {
  const { name, shape, onShape } = props;
  return (
    <button
      type="button"
      className="jp-MlopsFilter"
      aria-pressed={shape === name}
      onClick={() => onShape(name)}
    >
      {props.children}
    </button>
  );
}

function Head(props: IRunProps): JSX.Element {
  const { details, actions, trans } = props;
  const { run } = details;
  const button = (
    command: string,
    label: string,
    args: ReadonlyPartialJSONObject = { id: run.id },
    primary = false
  ) => (
    <CommandButton
      command={command}
      args={args}
      commands={actions.commands}
      label={label}
      primary={primary}
    />
  );
  return (
    <div className="jp-MlopsRunPane-head" data-state={run.state}>
      <StateIcon state={run.state} />
      <h2>{trans.__('Run %1', run.number)}</h2>
      <span className="jp-MlopsRunPane-state">{runWord(run, trans)}</span>
      <span className="jp-MlopsRunPane-how">
        {[
          causeWord(run.cause, trans),
          run.scheduled_at
            ? trans.__('for %1', fullTime(run.scheduled_at))
            : '',
          trans.__('version %1', run.version)
        ]
          .filter(part => part !== '')
          .join(' · ')}
      </span>
      <Took run={run} trans={trans} />
      <span className="jp-MlopsHead-tools">
        {isRepeatable(run.state) &&
          button(
            CommandIDs.retryPipelineRun,
            run.state === 'failed'
              ? trans.__('Retry from Failed Step')
              : trans.__('Go On'),
            { id: run.id },
            true
          )}
        {!isRunOver(run.state) &&
          !run.stop_requested &&
          button(CommandIDs.stopPipelineRun, trans.__('Stop'))}
        {button(
          CommandIDs.runPipeline,
          trans.__('Run with Other Parameters…'),
          {
            id: run.pipeline_id,
            ask: true,
            parameters: run.parameters as ReadonlyPartialJSONObject
          }
        )}
        {run.mlflow_experiment_id && (
          <button
            type="button"
            className="jp-MlopsTool"
            title={trans.__('Open this run in MLflow')}
            onClick={() =>
              actions.execute(CommandIDs.openMlflow, {
                experimentId: run.mlflow_experiment_id,
                runId: run.mlflow_run_id
              })
            }
          >
            {trans.__('MLflow')}
          </button>
        )}
      </span>
    </div>
  );
}

function Took(props: {
  run: PipelineRun;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { run, trans } = props;
  const over = isRunOver(run.state);
  const seconds = secondsOf(run, useNow(!over && run.started_at !== null));
  return seconds === null ? null : (
    <span
      className="jp-MlopsHead-time"
      title={fullTime(over ? run.ended_at : run.started_at)}
    >
      {over
        ? trans.__('in %1', formatDuration(seconds))
        : trans.__('for %1 so far', formatDuration(seconds, false))}
    </span>
  );
}

/** What a person should know of it before they look at its steps. */
function Notes(props: {
  run: PipelineRun;
  /** Whether the selected step tells why it failed. */
  said: boolean;
  trans: TranslationBundle;
}): JSX.Element {
  const { run, said, trans } = props;
  return (
    <>
      {run.message && !said && (
        <div
          className={
            run.state === 'failed'
              ? 'jp-MlopsProblem'
              : 'jp-MlopsProblem jp-mod-plain'
          }
          role="status"
        >
          {run.message}
        </div>
      )}
      {run.drift && (
        <div className="jp-MlopsProblem jp-mod-warning" role="status">
          <strong>
            {trans.__('The environment is not the one it was promoted with.')}
          </strong>{' '}
          {run.drift}
        </div>
      )}
    </>
  );
}
