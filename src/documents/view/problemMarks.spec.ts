import { EditorView } from '@codemirror/view';
import { describe, expect, it } from 'vitest';
import { problemMarks } from './problemMarks';

describe('problemMarks', () => {
  it('marks line and word of each problem, and moves along with what is typed', () => {
    const marks = problemMarks();
    const view = new EditorView({
      doc: 'name: x\nsteps:\n  a:\n    notbook: a.ipynb\n',
      extensions: [marks.extension],
      parent: document.body
    });
    const marked = (name: string) =>
      [...view.dom.querySelectorAll<HTMLElement>(`.${name}`)].map(
        ({ textContent, title }) => [textContent, title]
      );
    marks.show(view, [
      { message: 'a step has no “notbook”', line: 4, column: 5 },
      { message: 'something is wrong with all of it', line: 0, column: 0 },
      { message: 'there is no such line', line: 99, column: 1 }
    ]);
    expect(marked('jp-MlopsMark')).toEqual([
      ['notbook', 'a step has no “notbook”']
    ]);
    expect(marked('jp-MlopsMarked').map(([line]) => line)).toEqual([
      '    notbook: a.ipynb',
      ''
    ]);
    view.dispatch({ changes: { from: 0, insert: '# a comment\n' } });
    expect(marked('jp-MlopsMark').map(([word]) => word)).toEqual(['notbook']);
    marks.show(view, []);
    expect(marked('jp-MlopsMark')).toEqual([]);
    view.destroy();
  });
});
