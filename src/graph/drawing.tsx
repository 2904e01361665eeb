import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { GraphStep, StepRun } from '../api/schema';
import { edgeWords } from '../ui/pipelineStates';
import type { ILayout, IPlacedEdge } from './geometry';
import { layOut } from './layout';
import { toward, useRoom, useZoom } from './moves';
import { StepNode } from './node';

export interface IGraphProps {
  graph: readonly GraphStep[];
  /** By name; empty where no run is shown. */
  runs: ReadonlyMap<string, StepRun>;
  selected: string | null;
  /** Whether it takes all the room of its parent, instead of as much as it needs. */
  fill?: boolean;
  trans: TranslationBundle;
  onSelect(name: string): void;
  /** Enter and double click. */
  onOpen(name: string): void;
}

/** The steps of a pipeline from left to right; arrow keys go along the lines. */
export function Graph(props: IGraphProps): JSX.Element {
  const { graph, runs, selected, trans, onSelect, onOpen } = props;
  const id = React.useId();
  const view = React.useRef<HTMLDivElement>(null);
  const room = useRoom(view);
  const fill = props.fill ?? false;
  // what is too wide for where it is to fit in goes down instead
  const narrow = fill && room.width > 0 && room.height > room.width * 0.7;
  const layout = React.useMemo(() => {
    const words = (step: GraphStep) => edgeWords(step, trans);
    const across = layOut(graph, words);
    return narrow && across.width > room.width
      ? layOut(graph, words, true)
      : across;
  }, [graph, trans, narrow, room.width]);
  const zoom = useZoom(view, layout, room, fill);
  const optionOf = (name: string) => `${id}-${name}`;
  React.useEffect(() => {
    if (selected !== null) {
      document
        .getElementById(`${id}-${selected}`)
        ?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    }
  }, [selected, id]);
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    if (event.key === 'Enter') {
      if (selected !== null) {
        onOpen(selected);
      }
    } else if (event.key === '+' || event.key === '-') {
      zoom.by(event.key === '+' ? 1.2 : 1 / 1.2);
    } else if (event.key === '0') {
      zoom.fit();
    } else {
      const next = toward(layout, selected, event.key);
      if (next === undefined) {
        return;
      }
      if (next !== null) {
        onSelect(next);
      }
    }
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div className="jp-MlopsGraph" data-fill={fill || undefined}>
      <div
        ref={view}
        role="listbox"
        tabIndex={0}
        aria-label={trans.__('Steps')}
        aria-orientation={layout.down ? 'vertical' : 'horizontal'}
        {...(selected !== null && {
          'aria-activedescendant': optionOf(selected)
        })}
        className="jp-MlopsGraph-view"
        style={zoom.height === null ? {} : { height: zoom.height }}
        onKeyDown={onKeyDown}
        {...zoom.drag}
      >
        <div
          role="presentation"
          className="jp-MlopsGraph-space"
          style={{
            width: layout.width * zoom.scale,
            height: layout.height * zoom.scale
          }}
        >
          <div
            role="presentation"
            className="jp-MlopsGraph-plane"
            style={{
              width: layout.width,
              height: layout.height,
              transform: `scale(${zoom.scale})`
            }}
          >
            <Lines layout={layout} runs={runs} selected={selected} />
            {layout.steps.map(placed => (
              <StepNode
                key={placed.step.name}
                id={optionOf(placed.step.name)}
                placed={placed}
                run={runs.get(placed.step.name)}
                selected={placed.step.name === selected}
                trans={trans}
                onSelect={onSelect}
                onOpen={onOpen}
              />
            ))}
          </div>
        </div>
      </div>
      <Zoom zoom={zoom} trans={trans} />
    </div>
  );
}

function Zoom(props: {
  zoom: ReturnType<typeof useZoom>;
  trans: TranslationBundle;
}): JSX.Element {
  const { zoom, trans } = props;
  const button = (label: string, sign: string, act: () => void) => (
    <button
      type="button"
      className="jp-MlopsTool"
      title={label}
      aria-label={label}
      onClick={act}
    >
      {sign}
    </button>
  );
  return (
    <div className="jp-MlopsGraph-zoom">
      {button(trans.__('Draw smaller'), '−', () => zoom.by(1 / 1.2))}
      {button(trans.__('Draw larger'), '+', () => zoom.by(1.2))}
      {button(trans.__('Show all of it'), '⤢', () => zoom.fit())}
    </div>
  );
}

const Lines = React.memo(function Lines(props: {
  layout: ILayout;
  runs: ReadonlyMap<string, StepRun>;
  selected: string | null;
}): JSX.Element {
  const { layout, runs, selected } = props;
  return (
    <>
      <svg
        className="jp-MlopsGraph-lines"
        width={layout.width}
        height={layout.height}
        aria-hidden="true"
      >
        {layout.edges.map(edge => {
          const [x, y] = edge.points.at(-1)!;
          return (
            <g
              key={`${edge.from} ${edge.to}`}
              data-from={edge.from}
              data-to={edge.to}
              data-near={
                selected === edge.from || selected === edge.to || undefined
              }
              data-state={runs.get(edge.to)?.state}
            >
              <path d={edge.path} />
              <path
                d={
                  layout.down
                    ? `M${x - 4} ${y - 6}L${x} ${y}L${x + 4} ${y - 6}`
                    : `M${x - 6} ${y - 4}L${x} ${y}L${x - 6} ${y + 4}`
                }
              />
            </g>
          );
        })}
      </svg>
      {layout.edges.filter(({ label }) => label).map(words)}
    </>
  );
});

function words(edge: IPlacedEdge): JSX.Element {
  return (
    <span
      key={edge.to}
      className="jp-MlopsGraph-when"
      style={{ left: edge.labelX, top: edge.labelY }}
      title={edge.label}
      aria-hidden="true"
    >
      {edge.label}
    </span>
  );
}
