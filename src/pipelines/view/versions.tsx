import type { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';
import type { PipelineDetails, Version, VersionDiff } from '../../api/schema';
import { CommandIDs } from '../../model/commandIds';
import { CommandButton } from '../../ui/commandButton';
import { fullTime } from '../../ui/format';
import type { IPipelineActions } from './pipelineActions';
import { useDiff } from './queries';

export interface IVersionsProps {
  details: PipelineDetails;
  actions: IPipelineActions;
  trans: TranslationBundle;
}

/** All that was promoted, and what is different between two of them. */
export function Versions(props: IVersionsProps): JSX.Element {
  const { details, trans } = props;
  const { pipeline } = details;
  const versions = [...details.versions].sort((a, b) => b.number - a.number);
  const [pair, setPair] = React.useState<readonly [number, number] | null>(
    null
  );
  const newest = versions[0]?.number ?? 0;
  const [older, newer] = pair ?? [
    versions.find(({ number }) => number < newest)?.number ?? newest,
    newest
  ];
  return (
    <div className="jp-MlopsDetails jp-MlopsVersions" tabIndex={0}>
      <ol className="jp-MlopsVersions-list">
        {versions.map(version => (
          <VersionItem
            key={version.number}
            version={version}
            firing={version.number === pipeline.version}
            {...props}
            onCompare={() => setPair(sorted(version.number, pipeline.version))}
          />
        ))}
      </ol>
      {versions.length > 1 && (
        <section aria-label={trans.__('Differences')}>
          <div className="jp-MlopsVersions-pair">
            <h2>{trans.__('Differences')}</h2>
            <Choice
              label={trans.__('From version')}
              versions={versions}
              value={older}
              onChange={value => setPair([value, newer])}
            />
            <span aria-hidden="true">→</span>
            <Choice
              label={trans.__('To version')}
              versions={versions}
              value={newer}
              onChange={value => setPair([older, value])}
            />
          </div>
          <Diff {...props} older={older} newer={newer} />
        </section>
      )}
    </div>
  );
}

function sorted(a: number, b: number): readonly [number, number] {
  return a < b ? [a, b] : [b, a];
}

function VersionItem(
  props: IVersionsProps & {
    version: Version;
    firing: boolean;
    onCompare(): void;
  }
): JSX.Element {
  const { version, firing, actions, trans } = props;
  const commit = version.git_commit.replace(/\+$/, '');
  return (
    <li
      className="jp-MlopsVersion"
      data-version={version.number}
      aria-current={firing ? 'true' : undefined}
    >
      <div className="jp-MlopsTrigger-head">
        <h2>{trans.__('Version %1', version.number)}</h2>
        {firing && (
          <span className="jp-MlopsBadge jp-mod-firing">
            {trans.__('fires')}
          </span>
        )}
        <span className="jp-MlopsVersion-note">{version.note}</span>
        <span className="jp-MlopsHead-tools">
          {!firing && (
            <>
              <button
                type="button"
                className="jp-MlopsTool"
                onClick={props.onCompare}
              >
                {trans.__('Compare')}
              </button>
              <CommandButton
                command={CommandIDs.rollbackPipeline}
                args={{ id: version.pipeline_id, version: version.number }}
                commands={actions.commands}
                label={
                  version.number < props.details.pipeline.version
                    ? trans.__('Roll Back')
                    : trans.__('Let This One Fire')
                }
              />
            </>
          )}
        </span>
      </div>
      <p className="jp-MlopsHint">
        {fullTime(version.created_at)}
        {' · '}
        {trans.__('from %1', version.source)}
        {' · '}
        {commit ? (
          <>
            <code title={commit}>{commit.slice(0, 10)}</code>
            {version.git_commit.endsWith('+') &&
              trans.__(' with changes that were not committed')}
          </>
        ) : (
          trans.__('not in a git repository')
        )}
        {' · '}
        {trans._n(
          '%1 file frozen',
          '%1 files frozen',
          Object.keys(version.files).length
        )}
      </p>
      {version.warnings.map(warning => (
        <div key={warning} className="jp-MlopsProblem jp-mod-warning">
          {warning}
        </div>
      ))}
    </li>
  );
}

function Choice(props: {
  label: string;
  versions: readonly Version[];
  value: number;
  onChange(value: number): void;
}): JSX.Element {
  return (
    <HTMLSelect
      className="jp-MlopsSelect"
      aria-label={props.label}
      title={props.label}
      value={props.value}
      onChange={event => props.onChange(Number(event.target.value))}
    >
      {props.versions.map(({ number, note }) => (
        <option key={number} value={number}>
          {note ? `${number} · ${note.slice(0, 30)}` : number}
        </option>
      ))}
    </HTMLSelect>
  );
}

function Diff(
  props: IVersionsProps & { older: number; newer: number }
): JSX.Element {
  const { details, actions, older, newer, trans } = props;
  const { answer, error } = useDiff(
    actions.client,
    details.pipeline.id,
    older,
    newer
  );
  if (error) {
    return (
      <div className="jp-MlopsProblem" role="alert">
        {error}
      </div>
    );
  }
  if (older === newer) {
    return (
      <p className="jp-MlopsHint">
        {trans.__('That is the same version twice.')}
      </p>
    );
  }
  if (!answer) {
    return (
      <p className="jp-MlopsHint">{trans.__('They are being compared.')}</p>
    );
  }
  return <Differences diff={answer} trans={trans} />;
}

function Differences(props: {
  diff: VersionDiff;
  trans: TranslationBundle;
}): JSX.Element {
  const { diff, trans } = props;
  const texts = { ...diff.notebooks, ...diff.code };
  const lists = [
    [trans.__('Parameters'), diff.parameters],
    [trans.__('Environment'), diff.environment],
    [trans.__('Files'), diff.files]
  ] as const;
  if (
    Object.keys(texts).length === 0 &&
    lists.every(([, lines]) => lines.length === 0)
  ) {
    return (
      <p className="jp-MlopsHint">
        {trans.__('Nothing is different between these two.')}
      </p>
    );
  }
  return (
    <>
      {lists
        .filter(([, lines]) => lines.length > 0)
        .map(([title, lines]) => (
          <div key={title}>
            <h3>{title}</h3>
            <ul className="jp-MlopsDiff-lines">
              {lines.map(line => (
                <li key={line}>{line}</li>
              ))}
            </ul>
          </div>
        ))}
      {Object.entries(texts).map(([path, text]) => (
        <div key={path}>
          <h3>{path}</h3>
          <DiffText text={text} label={path} />
        </div>
      ))}
    </>
  );
}

/** Unified differences; what was added and what was taken away in their colours. */
function DiffText(props: { text: string; label: string }): JSX.Element {
  return (
    <pre className="jp-MlopsDiff" tabIndex={0} aria-label={props.label}>
      {props.text
        .replace(/\n$/, '')
        .split('\n')
        .map((line, index) => (
          <span key={index} data-change={changeOf(line)}>
            {line}
            {'\n'}
          </span>
        ))}
    </pre>
  );
}

function changeOf(line: string): string | undefined {
  if (line.startsWith('+++') || line.startsWith('---')) {
    return 'file';
  }
  return { '+': 'added', '-': 'removed', '@': 'place' }[line.charAt(0)];
}
