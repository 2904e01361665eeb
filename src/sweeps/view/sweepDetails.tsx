import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { Sampler, Sweep } from '../../api/schema';
import { CommandIDs } from '../../model/commandIds';
import { CommandButton } from '../../ui/commandButton';
import { Facts } from '../../ui/facts';
import {
  formatBytes,
  formatCount,
  formatDuration,
  fullTime
} from '../../ui/format';
import type { IPageActions } from './sweepActions';

export interface ISweepDetailsProps {
  sweep: Sweep;
  actions: IPageActions;
  trans: TranslationBundle;
}

/** What was asked for, from what, and what it occupies. */
export function SweepDetails(props: ISweepDetailsProps): JSX.Element {
  const { sweep, actions, trans } = props;
  const button = (command: string) => (
    <CommandButton
      command={command}
      args={{ id: sweep.id }}
      commands={actions.commands}
    />
  );
  return (
    <div className="jp-MlopsDetails" tabIndex={0}>
      <div className="jp-MlopsDetails-tools">
        {button(CommandIDs.renameSweep)}
        {button(CommandIDs.archiveSweep)}
        {button(CommandIDs.deleteSweep)}
        {button(CommandIDs.restoreSweep)}
      </div>
      <div className="jp-MlopsDetails-columns">
        <section>
          <h2>{trans.__('Sweep')}</h2>
          <Facts facts={sweepFacts(sweep, trans)} />
        </section>
        <section>
          <h2>{trans.__('Notebook')}</h2>
          <Facts facts={notebookFacts(props)} />
        </section>
        <section>
          <h2>{trans.__('What it tries')}</h2>
          {Object.keys(sweep.space).length > 0 ? (
            <Facts
              facts={Object.entries(sweep.space).map(([name, text]) => [
                name,
                <code key={name}>{text}</code>
              ])}
            />
          ) : (
            <p className="jp-MlopsHint">
              {trans.__('The notebook’s own values, once.')}
            </p>
          )}
        </section>
        <section>
          <h2>{trans.__('How it runs')}</h2>
          <Facts facts={executionFacts(sweep, trans)} />
        </section>
      </div>
    </div>
  );
}

type FactList = (readonly [string, React.ReactNode])[];

function sweepFacts(sweep: Sweep, trans: TranslationBundle): FactList {
  const { objective } = sweep;
  return [
    [trans.__('Name'), sweep.name],
    [trans.__('Created'), fullTime(sweep.created_at)],
    [trans.__('Started'), fullTime(sweep.started_at)],
    [trans.__('Ended'), fullTime(sweep.ended_at)],
    [trans.__('Runs'), formatCount(sweep.total)],
    [
      trans.__('Compared by'),
      objective
        ? objective.direction === 'maximize'
          ? trans.__('%1, maximised', objective.metric)
          : trans.__('%1, minimised', objective.metric)
        : trans.__('nothing yet; choose a metric above the runs')
    ],
    [trans.__('Read after a run'), sweep.metrics.join(', ')],
    [
      trans.__('Occupies'),
      sweep.occupies > 0 ? formatBytes(sweep.occupies) : ''
    ],
    [trans.__('Id'), <code key="id">{sweep.id}</code>]
  ];
}

function notebookFacts(props: ISweepDetailsProps): FactList {
  const { sweep, actions, trans } = props;
  const commit = sweep.git_commit.replace(/\+$/, '');
  const dirty = sweep.git_commit.endsWith('+');
  return [
    [
      trans.__('Path'),
      <button
        key="path"
        type="button"
        className="jp-MlopsLink"
        onClick={() => actions.execute('docmanager:open', { path: sweep.path })}
      >
        {sweep.path}
      </button>
    ],
    [
      trans.__('As started'),
      <button
        key="frozen"
        type="button"
        className="jp-MlopsLink"
        title={trans.__(
          'All runs execute the notebook as it was then, whatever became of it'
        )}
        onClick={() => actions.execute(CommandIDs.openFrozen, { id: sweep.id })}
      >
        {trans.__('Open the notebook as it was started')}
      </button>
    ],
    [
      trans.__('Code hash'),
      <code key="hash" title={sweep.notebook_hash}>
        {sweep.notebook_hash.slice(0, 12)}
      </code>
    ],
    [
      trans.__('Git commit'),
      commit ? (
        <span key="commit">
          <code title={commit}>{commit.slice(0, 10)}</code>
          {dirty ? trans.__(' with changes that were not committed') : ''}
        </span>
      ) : (
        trans.__('not in a git repository')
      )
    ],
    [
      trans.__('Kernel'),
      <span key="kernel" title={sweep.kernelspec?.argv.join(' ')}>
        {sweep.kernel}
        {sweep.kernelspec && ` · ${sweep.kernelspec.argv[0]}`}
      </span>
    ]
  ];
}

function executionFacts(sweep: Sweep, trans: TranslationBundle): FactList {
  const limit = (seconds: number | null) =>
    seconds === null ? trans.__('no limit') : formatDuration(seconds);
  return [
    [trans.__('Target'), sweep.target],
    [trans.__('Combinations'), samplerText(sweep.sampler, trans)],
    [
      trans.__('At once'),
      sweep.slots === null
        ? trans.__('as many as cores and memory allow')
        : trans.__('%1 at most', sweep.slots)
    ],
    [
      trans.__('Once per slot'),
      sweep.prefix > 0
        ? trans._n(
            'the first code cell',
            'the first %1 code cells',
            sweep.shared_cells
          )
        : ''
    ],
    [
      trans.__('A run takes'),
      sweep.run_seconds === null ? '' : formatDuration(sweep.run_seconds)
    ],
    [
      trans.__('A run needs'),
      sweep.run_memory === null
        ? ''
        : trans.__('%1 at most', formatBytes(sweep.run_memory))
    ],
    [trans.__('Limit of a cell'), limit(sweep.cell_timeout)],
    [trans.__('Limit of a run'), limit(sweep.run_timeout)],
    [trans.__('Output kept'), formatBytes(sweep.max_output)],
    [trans.__('MLflow experiment'), sweep.experiment]
  ];
}

function samplerText(sampler: Sampler, trans: TranslationBundle): string {
  return sampler.kind === 'grid'
    ? trans.__('all, once each')
    : trans.__(
        '%1 at random, seed %2',
        formatCount(sampler.count ?? 0),
        sampler.seed
      );
}
