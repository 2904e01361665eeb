import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type {
  Pipeline,
  PipelineDetails,
  PipelineRun,
  PipelineRunDetails
} from '../../api/schema';
import { CommandIDs } from '../../model/commandIds';
import { CommandButton } from '../../ui/commandButton';
import type { IPipelineActions } from './pipelineActions';
import { Details } from './pipelineDetails';
import { Header } from './pipelineHeader';
import { useAttempts } from './queries';
import { History } from './runHistory';
import { RunPane } from './runPane';
import { Schedule } from './triggers';
import { Versions } from './versions';

export interface IPipelinePageProps {
  pipeline: Pipeline;
  /** Null while they are being fetched. */
  details: PipelineDetails | null;
  /** Newest first. */
  runs: readonly PipelineRun[];
  /** The run shown; null where there is none. */
  runId: string | null;
  /** With its steps; null while they are being fetched. */
  run: PipelineRunDetails | null;
  /** Whether there is no such run. */
  runMissing: boolean;
  pipelines: readonly Pipeline[];
  /** What was refused or could not be fetched; empty while all is well. */
  error: string;
  actions: IPipelineActions;
  trans: TranslationBundle;
}

type Tab = 'runs' | 'schedule' | 'versions' | 'details';

/** A pipeline: how it stands, its past runs, what fires it, and what it is. */
export function PipelinePage(props: IPipelinePageProps): JSX.Element {
  const { pipeline, details, error, trans } = props;
  const [tab, setTab] = React.useState<Tab>('runs');
  const id = React.useId();
  const tabOf = (name: Tab, label: string) => (
    <button
      type="button"
      role="tab"
      id={`${id}-${name}`}
      aria-selected={tab === name}
      aria-controls={`${id}-panel`}
      className="jp-MlopsTab"
      onClick={() => setTab(name)}
    >
      {label}
    </button>
  );
  return (
    <div className="jp-MlopsPage" data-pipeline-id={pipeline.id}>
      <Header {...props} />
      {error && (
        <div className="jp-MlopsProblem" role="alert">
          {error}
        </div>
      )}
      <div className="jp-MlopsControls">
        <span role="tablist" aria-label={trans.__('Pipeline')}>
          {tabOf('runs', trans.__('Runs'))}
          {tabOf('schedule', trans.__('Schedule'))}
          {tabOf('versions', trans.__('Versions'))}
          {tabOf('details', trans.__('Details'))}
        </span>
      </div>
      <div
        className="jp-MlopsPage-panel"
        role="tabpanel"
        id={`${id}-panel`}
        aria-labelledby={`${id}-${tab}`}
      >
        {/* kept, so that the chosen step and places are the same afterwards */}
        <div className="jp-MlopsPage-runs" hidden={tab !== 'runs'}>
          <Runs {...props} />
        </div>
        {tab !== 'runs' && !details && (
          <p className="jp-MlopsNothing">
            {trans.__('The pipeline is being fetched.')}
          </p>
        )}
        {tab === 'schedule' && details && (
          <Schedule {...props} details={details} />
        )}
        {tab === 'versions' && details && (
          <Versions {...props} details={details} />
        )}
        {tab === 'details' && details && (
          <Details {...props} details={details} />
        )}
      </div>
    </div>
  );
}

function Runs(props: IPipelinePageProps): JSX.Element {
  const { pipeline, details, runs, runId, run, actions, trans } = props;
  const attempts = useAttempts(run?.steps ?? [], actions.client);
  if (runs.length === 0) {
    return (
      <div className="jp-MlopsNothing">
        <p>
          {!details
            ? trans.__('The runs are being fetched.')
            : pipeline.next_at && !pipeline.paused
              ? trans.__(
                  'It has not run yet. Its schedule fires it; to see at once whether it works, run it now.'
                )
              : trans.__('It has not run yet.')}
        </p>
        {details && (
          <CommandButton
            command={CommandIDs.runPipeline}
            args={{ id: pipeline.id }}
            commands={actions.commands}
            label={trans.__('Run Now')}
            primary={true}
          />
        )}
      </div>
    );
  }
  return (
    <div className="jp-MlopsPipelineRuns" tabIndex={-1}>
      <History
        runs={runs}
        selected={runId}
        trans={trans}
        onSelect={id => actions.showRun(id)}
      />
      {run ? (
        <RunPane
          key={run.run.id}
          details={run}
          attempts={attempts}
          actions={actions}
          trans={trans}
        />
      ) : (
        <p className="jp-MlopsNothing">
          {props.runMissing
            ? trans.__('There is no such run: it was deleted for good.')
            : trans.__('The run is being fetched.')}
        </p>
      )}
    </div>
  );
}
