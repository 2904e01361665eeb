import { forEachDiagnostic, setDiagnostics } from '@codemirror/lint';
import { EditorView } from '@codemirror/view';
import { describe, expect, it } from 'vitest';
import type { Problem } from '../../api/schema';
import { diagnosticMarks, diagnosticsOf } from './diagnostics';

describe('diagnosticsOf', () => {
  it('marks the word of each problem, and moves along with what is typed', () => {
    const view = new EditorView({
      doc: 'name: x\nsteps:\n  a:\n    notbook: a.ipynb\n',
      extensions: [diagnosticMarks],
      parent: document.body
    });
    const show = (problems: readonly Problem[]) => {
      const { state } = view;
      view.dispatch(setDiagnostics(state, diagnosticsOf(state.doc, problems)));
    };
    const shown = () => {
      const found: [number, string, string][] = [];
      forEachDiagnostic(view.state, ({ message }, from, to) => {
        const { doc } = view.state;
        found.push([
          doc.lineAt(from).number,
          doc.sliceString(from, to),
          message
        ]);
      });
      return found;
    };
    show([
      { message: 'a step has no “notbook”', line: 4, column: 5 },
      { message: 'something is wrong with all of it', line: 0, column: 0 },
      { message: 'there is no such line', line: 99, column: 1 }
    ]);
    expect(shown()).toEqual([
      [4, 'notbook', 'a step has no “notbook”'],
      [5, '', 'there is no such line']
    ]);
    expect(view.dom.querySelector('.cm-lintRange-error')?.textContent).toBe(
      'notbook'
    );
    view.dispatch({ changes: { from: 0, insert: '# a comment\n' } });
    expect(shown()[0]).toEqual([5, 'notbook', 'a step has no “notbook”']);
    show([]);
    expect(shown()).toEqual([]);
    view.destroy();
  });
});
