/** A pipeline's problems as CodeMirror shows them: marked in the text and its gutter, reached by F8. */
import { lintGutter, lintKeymap, type Diagnostic } from '@codemirror/lint';
import type { Extension, Text } from '@codemirror/state';
import { keymap } from '@codemirror/view';
import type { Problem } from '../../api/schema';
import { placeOf } from './pipelineText';

/** For an editor that shows a pipeline's text. */
export const diagnosticMarks: Extension = [lintGutter(), keymap.of(lintKeymap)];

/** Problems by their places in a text; one that no place is to blame for has none. */
export function diagnosticsOf(
  text: Text,
  problems: readonly Problem[]
): Diagnostic[] {
  return problems.flatMap(problem => {
    const place = placeOf(problem, text.toString());
    if (!place) {
      return [];
    }
    const line = text.line(place.line + 1);
    // to the end of the word, or of the line where there is none
    const rest = line.text.slice(place.column);
    const word = /^[^\s:,\]}]+/.exec(rest)?.[0] ?? rest;
    const from = line.from + place.column;
    return [
      {
        from,
        to: from + word.length,
        severity: 'error' as const,
        message: problem.message
      }
    ];
  });
}
