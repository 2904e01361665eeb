import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { GraphStep, Problem } from '../../api/schema';
import { Graph } from '../../graph/drawing';

export interface ISideProps {
  graph: readonly GraphStep[];
  problems: readonly Problem[];
  readable: boolean;
  known: boolean;
  error: string;
  trans: TranslationBundle;
  /** A step was selected; null where it is not the graph's any more. */
  onStep(name: string): void;
  onOpen(step: GraphStep): void;
  onProblem(problem: Problem): void;
  onAdd(): void;
}

const NO_RUNS = new Map<string, never>();

/** The graph of a pipeline's text, and what is wrong with the text. */
export function Side(props: ISideProps): JSX.Element {
  const { graph, problems, trans } = props;
  const [chosen, setChosen] = React.useState<string | null>(null);
  const selected = graph.some(({ name }) => name === chosen) ? chosen : null;
  return (
    <>
      <div
        className="jp-MlopsPipelineFile-graph"
        data-stale={!props.readable || undefined}
      >
        {graph.length > 0 ? (
          <Graph
            graph={graph}
            runs={NO_RUNS}
            selected={selected}
            fill={true}
            trans={trans}
            onSelect={name => {
              setChosen(name);
              props.onStep(name);
            }}
            onOpen={name => {
              const step = graph.find(other => other.name === name);
              if (step) {
                props.onOpen(step);
              }
            }}
          />
        ) : (
          <Nothing {...props} />
        )}
        {!props.readable && graph.length > 0 && (
          <p className="jp-MlopsPipelineFile-stale">
            {trans.__('As it was when the text could last be read.')}
          </p>
        )}
      </div>
      <Problems {...props} problems={problems} />
    </>
  );
}

function Nothing(props: ISideProps): JSX.Element {
  const { trans } = props;
  return (
    <div className="jp-MlopsNothing">
      {props.known || props.error ? (
        <>
          <p>
            {trans.__(
              'There are no steps yet. Add a notebook, or drag one here from the file browser.'
            )}
          </p>
          <button
            type="button"
            className="jp-MlopsTool jp-mod-primary"
            onClick={props.onAdd}
          >
            {trans.__('Add Step…')}
          </button>
        </>
      ) : (
        trans.__('The text is being read.')
      )}
    </div>
  );
}

function Problems(props: ISideProps): JSX.Element {
  const { problems, error, known, trans } = props;
  return (
    <section
      className="jp-MlopsPipelineFile-problems"
      aria-label={trans.__('Problems')}
    >
      {error && (
        <div className="jp-MlopsProblem" role="alert">
          {error}
        </div>
      )}
      <p role="status">
        {problems.length > 0
          ? trans._n('%1 problem', '%1 problems', problems.length)
          : known
            ? trans.__('No problems')
            : ''}
      </p>
      {problems.length > 0 && (
        <ul>
          {problems.map((problem, index) => (
            <li key={index}>
              <button
                type="button"
                className="jp-MlopsLink"
                disabled={problem.line === 0}
                title={trans.__('Go to that line')}
                onClick={() => props.onProblem(problem)}
              >
                {problem.line > 0
                  ? `${problem.line}:${problem.column}`
                  : trans.__('whole')}
              </button>
              <span>{problem.message}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
