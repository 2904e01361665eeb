/** Problems marked in the editor, where they are. */
import { StateEffect, StateField, type Extension } from '@codemirror/state';
import { Decoration, EditorView, type DecorationSet } from '@codemirror/view';
import type { Problem } from '../../api/schema';
import { placeOf } from './pipelineText';

const setProblems = StateEffect.define<readonly Problem[]>();

/** For an editor that shows a pipeline's text; the marks move along with what is typed. */
export function problemMarks(): {
  extension: Extension;
  show(view: EditorView, problems: readonly Problem[]): void;
} {
  const field = StateField.define<DecorationSet>({
    create: () => Decoration.none,
    update: (marks, change) => {
      let present = marks.map(change.changes);
      for (const effect of change.effects) {
        if (effect.is(setProblems)) {
          present = marksOf(change.state.doc.toString(), effect.value);
        }
      }
      return present;
    },
    provide: own => EditorView.decorations.from(own)
  });
  return {
    extension: field,
    show: (view, problems) =>
      view.dispatch({ effects: setProblems.of(problems) })
  };
}

function marksOf(text: string, problems: readonly Problem[]): DecorationSet {
  const starts = [0];
  for (const line of text.split('\n')) {
    starts.push(starts.at(-1)! + line.length + 1);
  }
  const marks = problems.flatMap(problem => {
    const place = placeOf(problem, text);
    if (!place) {
      return [];
    }
    const start = starts[place.line]!;
    const line = Decoration.line({
      class: 'jp-MlopsMarked',
      attributes: { title: problem.message }
    }).range(start);
    // from there to the end of the word, or of the line where there is none
    const rest = text.slice(start + place.column, starts[place.line + 1]! - 1);
    const word = /^[^\s:,\]}]+/.exec(rest)?.[0] ?? rest;
    return word === ''
      ? [line]
      : [
          line,
          Decoration.mark({
            class: 'jp-MlopsMark',
            attributes: { title: problem.message }
          }).range(start + place.column, start + place.column + word.length)
        ];
  });
  return Decoration.set(marks, true);
}
