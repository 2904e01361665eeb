import { Prec, type Extension } from '@codemirror/state';
import { keymap } from '@codemirror/view';
import type { CodeEditor } from '@jupyterlab/codeeditor';

/**
 * Undo and redo of the document, which is shared and may be changed by others and by a form.
 *
 * The main menu does not know this widget, and the keys would reach the browser's own history, which knows of the
 * typing alone and makes nonsense of the text.
 */
export function undoKeys(editor: () => CodeEditor.IEditor): Extension {
  const undo = () => {
    editor().undo();
    return true;
  };
  const redo = () => {
    editor().redo();
    return true;
  };
  return Prec.highest(
    keymap.of([
      { key: 'Mod-z', run: undo, shift: redo, preventDefault: true },
      { key: 'Mod-y', run: redo, preventDefault: true }
    ])
  );
}
