import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type {
  Alerts,
  PipelineDefinition,
  PipelineDetails,
  Retention,
  Version
} from '../../api/schema';
import { Graph } from '../../graph/drawing';
import { CommandIDs } from '../../model/commandIds';
import { CommandButton } from '../../ui/commandButton';
import { Facts } from '../../ui/facts';
import { formatDuration, fullTime, valueText } from '../../ui/format';
import type { IPipelineActions } from './pipelineActions';

export interface IPipelineDetailsProps {
  details: PipelineDetails;
  actions: IPipelineActions;
  trans: TranslationBundle;
}

type FactList = (readonly [string, React.ReactNode])[];

/** What it is made of, and by which rules it runs. */
export function Details(props: IPipelineDetailsProps): JSX.Element {
  const { details, actions, trans } = props;
  const { pipeline, graph } = details;
  const [selected, setSelected] = React.useState<string | null>(null);
  const version = details.versions.find(
    ({ number }) => number === pipeline.version
  );
  const button = (command: string) => (
    <CommandButton
      command={command}
      args={{ id: pipeline.id }}
      commands={actions.commands}
    />
  );
  const onOpen = (name: string) => {
    const step = graph.find(other => other.name === name);
    if (step) {
      actions.openNotebook(step, undefined);
    }
  };
  return (
    <div className="jp-MlopsDetails" tabIndex={0}>
      <div className="jp-MlopsDetails-tools">
        {button(CommandIDs.renamePipeline)}
        {button(CommandIDs.deletePipeline)}
        {button(CommandIDs.restorePipeline)}
      </div>
      {graph.length > 0 && (
        <div className="jp-MlopsDetails-graph">
          <Graph
            graph={graph}
            runs={NO_RUNS}
            selected={selected}
            trans={trans}
            onSelect={setSelected}
            onOpen={onOpen}
          />
        </div>
      )}
      <div className="jp-MlopsDetails-columns">
        <section>
          <h2>{trans.__('Pipeline')}</h2>
          <Facts facts={pipelineFacts(props)} />
        </section>
        {version && (
          <>
            <section>
              <h2>{trans.__('How it runs')}</h2>
              <Facts facts={ruleFacts(version.definition, trans)} />
              <div className="jp-MlopsDetails-tools">
                {button(CommandIDs.changePolicies)}
                {version.definition.alerts.to.length > 0 &&
                  button(CommandIDs.testAlert)}
              </div>
              {!pipeline.path.endsWith('.ipynb') && (
                <p className="jp-MlopsHint">
                  {trans.__(
                    'Change alerts and what is kept in %1, and promote it.',
                    pipeline.path
                  )}
                </p>
              )}
            </section>
            <section>
              <h2>{trans.__('Parameters')}</h2>
              <Parameters version={version} trans={trans} />
            </section>
            <section>
              <h2>{trans.__('Frozen in version %1', version.number)}</h2>
              <Frozen version={version} trans={trans} />
            </section>
          </>
        )}
      </div>
    </div>
  );
}

const NO_RUNS = new Map<string, never>();

function pipelineFacts(props: IPipelineDetailsProps): FactList {
  const { details, actions, trans } = props;
  const { pipeline } = details;
  return [
    [trans.__('Name'), pipeline.name],
    [
      trans.__('Made from'),
      <button
        key="path"
        type="button"
        className="jp-MlopsLink"
        onClick={() =>
          actions.execute('docmanager:open', { path: pipeline.path })
        }
      >
        {pipeline.path}
      </button>
    ],
    [trans.__('Project'), pipeline.project || trans.__('the server’s folder')],
    [trans.__('Target'), pipeline.target],
    [trans.__('Created'), fullTime(pipeline.created_at)],
    [trans.__('Fired by'), details.keeper],
    [trans.__('Id'), <code key="id">{pipeline.id}</code>]
  ];
}

function ruleFacts(
  definition: PipelineDefinition,
  trans: TranslationBundle
): FactList {
  const environment = {
    warn: trans.__('a changed one is said and told'),
    refuse: trans.__('a changed one is refused'),
    ignore: trans.__('a changed one is ignored')
  }[definition.environment];
  return [
    [trans.__('Description'), definition.description],
    [
      trans.__('At once'),
      trans._n('%1 run', '%1 runs', definition.concurrency)
    ],
    [
      trans.__('Deadline'),
      definition.deadline === null
        ? trans.__('none')
        : formatDuration(definition.deadline)
    ],
    [trans.__('Environment'), environment],
    [trans.__('Alerts'), alertWords(definition.alerts, trans)],
    [trans.__('Kept'), keptWords(definition.retention, trans)],
    [trans.__('MLflow experiment'), definition.experiment]
  ];
}

function alertWords(alerts: Alerts, trans: TranslationBundle): string {
  if (alerts.to.length === 0) {
    return trans.__('nobody is told');
  }
  const kinds = {
    failure: trans.__('failure'),
    success: trans.__('success'),
    slow: trans.__('slowness'),
    recovery: trans.__('recovery'),
    drift: trans.__('a changed environment')
  };
  return trans._n(
    '%1 address is told of %2',
    '%1 addresses are told of %2',
    alerts.to.length,
    alerts.on.map(kind => kinds[kind]).join(', ')
  );
}

function keptWords(retention: Retention, trans: TranslationBundle): string {
  const { runs, days } = retention;
  return (
    [
      runs === null ? '' : trans._n('the last run', 'the last %1 runs', runs),
      days === null ? '' : trans._n('one day', '%1 days', days)
    ]
      .filter(part => part !== '')
      .join(', ') || trans.__('all runs')
  );
}

function Parameters(props: {
  version: Version;
  trans: TranslationBundle;
}): JSX.Element {
  const entries = Object.entries(props.version.definition.parameters);
  return entries.length > 0 ? (
    <Facts
      facts={entries.map(([name, value]) => [
        name,
        <code key={name}>{valueText(value)}</code>
      ])}
    />
  ) : (
    <p className="jp-MlopsHint">
      {props.trans.__('The pipeline has none; its notebooks have their own.')}
    </p>
  );
}

function Frozen(props: {
  version: Version;
  trans: TranslationBundle;
}): JSX.Element {
  const { version, trans } = props;
  const data = new Set(version.data);
  return (
    <ul className="jp-MlopsFiles" tabIndex={0}>
      {Object.entries(version.files).map(([path, sha256]) => (
        <li key={path}>
          <span title={path}>{path}</span>
          <span>{data.has(path) ? trans.__('data') : ''}</span>
          <code title={sha256}>{sha256.slice(0, 10)}</code>
        </li>
      ))}
    </ul>
  );
}
