/** Places in a pipeline's text, and changes to it that leave the rest as it is. */
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { Problem } from '../../api/schema';

/** Put a new text in place of the present one; what is the same on both ends stays, the cursor in it, too. */
export function replaceText(
  model: DocumentRegistry.ICodeModel['sharedModel'],
  next: string
): void {
  const present = model.getSource();
  if (present === next) {
    return;
  }
  const most = Math.min(present.length, next.length);
  let start = 0;
  while (start < most && present[start] === next[start]) {
    start += 1;
  }
  let end = 0;
  while (
    end < most - start &&
    present[present.length - 1 - end] === next[next.length - 1 - end]
  ) {
    end += 1;
  }
  // one change, so that one undo takes it back
  model.updateSource(
    start,
    present.length - end,
    next.slice(start, next.length - end)
  );
}

/** The line on which a step begins, from 0; null where the text does not say it in a line of its own. */
export function stepLine(text: string, name: string): number | null {
  const lines = text.split('\n');
  const steps = lines.findIndex(line => /^steps\s*:/.test(line));
  if (steps < 0) {
    return null;
  }
  const quoted = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const begins = new RegExp(`^\\s+(["']?)${quoted}\\1\\s*:`);
  for (let index = steps + 1; index < lines.length; index += 1) {
    const line = lines[index]!;
    if (/^\S/.test(line) && !line.startsWith('#')) {
      return null;
    }
    if (begins.test(line)) {
      return index;
    }
  }
  return null;
}

export interface IPlace {
  line: number;
  column: number;
}

/** Where a problem is, counted from 0 and inside the text; null where no place is to blame. */
export function placeOf(problem: Problem, text: string): IPlace | null {
  if (problem.line === 0) {
    return null;
  }
  const lines = text.split('\n');
  const line = Math.min(problem.line, lines.length) - 1;
  const column = Math.max(0, problem.column - 1);
  return { line, column: Math.min(column, lines[line]!.length) };
}
