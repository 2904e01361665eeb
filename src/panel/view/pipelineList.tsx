import type { TranslationBundle } from '@jupyterlab/translation';
import {
  pauseIcon,
  ReactWidget,
  runIcon,
  stopIcon,
  type LabIcon
} from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';
import type { Pipeline, RunMark } from '../../api/schema';
import type { IMlopsModel } from '../../model';
import { CommandIDs, PIPELINE_CLASS } from '../../model/commandIds';
import { isOver } from '../../model/states';
import { BusyButton } from '../../ui/commandButton';
import {
  formatDuration,
  formatMoment,
  formatTime,
  fullTime
} from '../../ui/format';
import { stateWord } from '../../ui/pipelineStates';
import { useRoving } from '../../ui/roving';
import { StateIcon } from '../../ui/stateIcon';

/** Past runs that have room in a narrow panel. */
const MARKS = 8;

export interface IPipelineListProps {
  pipelines: readonly Pipeline[];
  deleted: boolean;
  trans: TranslationBundle;
  execute(command: string, id: string): Promise<unknown>;
}

/** Pipelines by name, each in two lines: how its last runs went, and when it fires next. */
export function PipelineList(props: IPipelineListProps): JSX.Element | null {
  const { pipelines, deleted, trans } = props;
  const roving = useRoving<HTMLUListElement>();
  if (pipelines.length === 0) {
    return null;
  }
  return (
    <>
      {deleted && <h3 className="jp-MlopsShelf">{trans.__('Deleted')}</h3>}
      <ul
        className="jp-MlopsPipelines"
        aria-label={deleted ? trans.__('Deleted') : trans.__('Pipelines')}
        {...roving}
      >
        {pipelines.map(pipeline => (
          <Row key={pipeline.id} pipeline={pipeline} {...props} />
        ))}
      </ul>
    </>
  );
}

const Row = React.memo(
  function Row(props: IPipelineListProps & { pipeline: Pipeline }) {
    const { pipeline, deleted, trans, execute } = props;
    const { id, name, message } = pipeline;
    return (
      <li
        className={PIPELINE_CLASS}
        data-pipeline-id={id}
        data-deleted={deleted || undefined}
        title={tooltip(pipeline, trans)}
      >
        <button
          type="button"
          className="jp-MlopsPipeline-open"
          onClick={() => void execute(CommandIDs.openPipeline, id)}
        >
          <span className="jp-MlopsPipeline-line">
            <span className="jp-MlopsPipeline-name">{name}</span>
            <span className="jp-MlopsPipeline-next">
              {nextOf(pipeline, trans)}
            </span>
          </span>
          <Marks marks={pipeline.recent} trans={trans} />
          {message && <span className="jp-MlopsPipeline-note">{message}</span>}
        </button>
        {deleted ? (
          <BusyButton
            className="jp-MlopsLink"
            act={() => execute(CommandIDs.restorePipeline, id)}
          >
            {trans.__('Restore')}
          </BusyButton>
        ) : (
          <Actions {...props} />
        )}
      </li>
    );
  },
  (before, after) =>
    before.pipeline === after.pipeline && before.deleted === after.deleted
);

/** What can be done at once; there while one points at the row or is in it. */
function Actions(
  props: IPipelineListProps & { pipeline: Pipeline }
): JSX.Element {
  const { pipeline, trans, execute } = props;
  const { id, name, paused, triggers } = pipeline;
  const live = pipeline.recent.filter(({ state }) => !isOver(state)).at(-1);
  const button = (icon: LabIcon, label: string, command: string, of = id) => (
    <BusyButton
      className="jp-MlopsIconButton"
      title={label}
      aria-label={label}
      act={() => execute(command, of)}
    >
      <icon.react tag="span" width="16px" height="16px" />
    </BusyButton>
  );
  return (
    <span className="jp-MlopsPipeline-actions">
      {button(runIcon, trans.__('Run “%1” now', name), CommandIDs.runPipeline)}
      {paused ? (
        <BusyButton
          className="jp-MlopsLink"
          title={trans.__('Resume the schedules of “%1”', name)}
          act={() => execute(CommandIDs.resumePipeline, id)}
        >
          {trans.__('Resume')}
        </BusyButton>
      ) : (
        triggers > 0 &&
        button(
          pauseIcon,
          trans.__('Pause the schedules of “%1”', name),
          CommandIDs.pausePipeline
        )
      )}
      {live &&
        button(
          stopIcon,
          trans.__('Stop run %1 of “%2”', live.number, name),
          CommandIDs.stopPipelineRun,
          live.id
        )}
    </span>
  );
}

/** The last runs, oldest first, each by a sign. */
function Marks(props: {
  marks: readonly RunMark[];
  trans: TranslationBundle;
}): JSX.Element {
  const { marks, trans } = props;
  const shown = marks.slice(-MARKS);
  return (
    <span className="jp-MlopsPipeline-marks">
      {shown.length === 0 && trans.__('no run yet')}
      {shown.map(mark => (
        <span
          key={mark.id}
          role="img"
          data-state={mark.state}
          aria-label={markWords(mark, trans)}
          title={markWords(mark, trans)}
        >
          <StateIcon state={mark.state} />
        </span>
      ))}
    </span>
  );
}

function markWords(mark: RunMark, trans: TranslationBundle): string {
  return [
    trans.__('Run %1', mark.number),
    stateWord(mark.state, trans).toLowerCase(),
    fullTime(mark.at),
    mark.seconds === null ? '' : formatDuration(mark.seconds)
  ]
    .filter(Boolean)
    .join(', ');
}

function nextOf(pipeline: Pipeline, trans: TranslationBundle): string {
  if (pipeline.deleted_at) {
    return trans.__('deleted %1', formatTime(pipeline.deleted_at));
  }
  if (pipeline.paused) {
    return trans.__('paused');
  }
  if (pipeline.next_at) {
    return trans.__('next %1', formatMoment(pipeline.next_at));
  }
  return pipeline.triggers > 0
    ? trans.__('when triggered')
    : trans.__('by hand');
}

function tooltip(pipeline: Pipeline, trans: TranslationBundle): string {
  const { name, path, version, versions, runs, message } = pipeline;
  const { next_at, paused } = pipeline;
  return [
    name,
    path,
    trans.__('version %1 of %2', version, versions),
    trans._n('%1 run', '%1 runs', runs),
    next_at && !paused && trans.__('next %1', fullTime(next_at)),
    message
  ]
    .filter(Boolean)
    .join('\n');
}

export interface IPipelinesSectionOptions {
  model: IMlopsModel;
  commands: CommandRegistry;
  trans: TranslationBundle;
}

/** The panel's section of pipelines. */
export class PipelinesSection extends ReactWidget {
  constructor(private readonly _options: IPipelinesSectionOptions) {
    super();
    this.addClass('jp-MlopsBody');
    _options.model.changed.connect((_, change) => {
      if (change.pipelines.size > 0 || change.status) {
        this.update();
      }
    }, this);
  }

  /** Whether deleted ones are shown, too. */
  get all(): boolean {
    return this._all;
  }

  /** Show deleted ones, or hide them. */
  toggle(): void {
    this._all = !this._all;
    this.update();
  }

  protected override render(): JSX.Element {
    const { model, commands, trans } = this._options;
    const execute = (command: string, id: string) =>
      commands.execute(command, { id });
    const current = model.pipelines();
    const deleted = this._all ? model.pipelines(true) : [];
    return (
      <>
        {model.ready && current.length === 0 && (
          <p
            className="jp-MlopsHint"
            title={trans.__(
              'Open a sweep, choose a finished run, press Promote. It then runs by itself, on time, when JupyterLab is closed.'
            )}
          >
            {trans.__('No pipelines yet: promote a run.')}
          </p>
        )}
        <PipelineList
          {...{ trans, execute }}
          pipelines={current}
          deleted={false}
        />
        <PipelineList {...{ trans, execute }} pipelines={deleted} deleted />
        {this._all && deleted.length === 0 && (
          <p className="jp-MlopsHint">{trans.__('Nothing deleted.')}</p>
        )}
      </>
    );
  }

  private _all = false;
}
