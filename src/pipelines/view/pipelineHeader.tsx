import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { Pipeline, PipelineDetails } from '../../api/schema';
import { CommandIDs, PIPELINE_CLASS } from '../../model/commandIds';
import { CommandButton } from '../../ui/commandButton';
import { fullTime } from '../../ui/format';
import { useNow } from '../../ui/useNow';
import type { IPipelineActions } from './pipelineActions';
import { useKeep } from './queries';
import { whenWords } from './triggerDescriptions';

export interface IHeaderProps {
  pipeline: Pipeline;
  /** Null while they are being fetched. */
  details: PipelineDetails | null;
  actions: IPipelineActions;
  trans: TranslationBundle;
}

/** What fires when and by whom, what can be done about it, and what to know of it. */
export function Header(props: IHeaderProps): JSX.Element {
  const { pipeline, actions, trans } = props;
  const button = (command: string, label: string, primary = false) => (
    <CommandButton
      command={command}
      args={{ id: pipeline.id }}
      commands={actions.commands}
      label={label}
      primary={primary}
    />
  );
  return (
    <div className={`jp-MlopsHead ${PIPELINE_CLASS}`}>
      <div className="jp-MlopsHead-line">
        <h1 className="jp-MlopsHead-state">{pipeline.name}</h1>
        <span className="jp-MlopsHead-count">
          {pipeline.version === pipeline.versions
            ? trans.__('version %1', pipeline.version)
            : trans.__('version %1 of %2', pipeline.version, pipeline.versions)}
        </span>
        <Next {...props} />
        <span className="jp-MlopsHead-tools">
          {button(CommandIDs.runPipeline, trans.__('Run Now'), true)}
          {button(CommandIDs.resumePipeline, trans.__('Resume'))}
          {button(CommandIDs.pausePipeline, trans.__('Pause'))}
          <button
            type="button"
            className="jp-MlopsLink jp-MlopsHead-notebook"
            title={trans.__('Open %1', pipeline.path)}
            onClick={() =>
              actions.execute('docmanager:open', { path: pipeline.path })
            }
          >
            {pipeline.path.split('/').pop()}
          </button>
        </span>
      </div>
      <Notes {...props} />
    </div>
  );
}

function Next(props: IHeaderProps): JSX.Element {
  const { pipeline, trans } = props;
  const now = useNow(pipeline.next_at !== null);
  let words: string;
  if (pipeline.paused) {
    words = trans.__('Paused: nothing fires it but you');
  } else if (pipeline.next_at) {
    words = trans.__('next run %1', whenWords(pipeline.next_at, now, trans));
  } else if (pipeline.triggers > 0) {
    words = trans.__('waits for its triggers');
  } else {
    words = trans.__('runs by hand only');
  }
  return (
    <span
      className="jp-MlopsHead-time"
      title={fullTime(pipeline.paused ? null : pipeline.next_at)}
    >
      {words}
    </span>
  );
}

function Notes(props: IHeaderProps): JSX.Element {
  const { pipeline, details, actions, trans } = props;
  const fires = pipeline.triggers > 0;
  const ends = fires && (details?.keeper_ends ?? false);
  const keep = useKeep(actions.client, ends && details ? details.keeper : null);
  // no more than said where there is nothing that one could do here
  const installable = ends && keep !== null && keep.possible;
  return (
    <>
      {pipeline.deleted_at && (
        <Note severity="warning">
          {trans.__(
            'This pipeline is deleted; nothing fires it. It can be restored for 30 days after %1.',
            fullTime(pipeline.deleted_at)
          )}
          <CommandButton
            command={CommandIDs.restorePipeline}
            args={{ id: pipeline.id }}
            commands={actions.commands}
            label={trans.__('Restore')}
            primary={true}
          />
        </Note>
      )}
      {pipeline.message && <Note severity="warning">{pipeline.message}</Note>}
      {details?.keeper && fires && (
        <Note severity={installable ? 'warning' : 'plain'}>
          <span title={keep?.message}>{details.keeper}</span>
          {installable && (
            <CommandButton
              command={CommandIDs.installService}
              args={{}}
              commands={actions.commands}
              label={trans.__('Install Service')}
            />
          )}
        </Note>
      )}
    </>
  );
}

function Note(props: {
  severity: 'plain' | 'warning';
  children: React.ReactNode;
}): JSX.Element {
  return (
    <div
      className="jp-MlopsHead-note"
      data-severity={props.severity}
      role="status"
    >
      {props.children}
    </div>
  );
}
