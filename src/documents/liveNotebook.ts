/** An open notebook that follows the run which executes it. */
import type { ICodeCellModel } from '@jupyterlab/cells';
import type { ICell, ICodeCell, INotebookContent } from '@jupyterlab/nbformat';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { JSONExt } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import type { IMlopsModel, IModelChange } from '../model';
import type { IWatch } from '../model/resource';
import { isOver } from '../model/states';
import { followVisibility } from '../ui/visibility';

/** Milliseconds between two reads at least. */
const SOONEST = 1_000;

/** Milliseconds after which a live run is read again though it is in the same cell. */
const LATEST = 2_500;

/** A read that takes long is repeated no sooner than this many times its length. */
const SHARE = 5;

export interface IFollowOptions {
  panel: NotebookPanel;
  model: IMlopsModel;
  sweepId: string;
  runId: string;
  read(): Promise<INotebookContent>;
}

/** Reads the notebook again while its run is live, and once more at its end. */
export class Follower implements IDisposable {
  constructor(private readonly _options: IFollowOptions) {
    const { panel, model, sweepId } = _options;
    this._watch = model.watchRuns(sweepId);
    this._sight = followVisibility(panel, visible => {
      this._watch.active = visible;
      if (visible && this._behind) {
        this._schedule(0);
      }
    });
    panel.disposed.connect(this.dispose, this);
    void panel.context.ready.then(() => {
      if (!this.isDisposed) {
        model.changed.connect(this._onChanged, this);
        this._look();
      }
    });
  }

  get isDisposed(): boolean {
    return this._watch.isDisposed;
  }

  dispose(): void {
    const { model, panel } = this._options;
    clearTimeout(this._timer);
    model.changed.disconnect(this._onChanged, this);
    panel.disposed.disconnect(this.dispose, this);
    this._sight.dispose();
    this._watch.dispose();
  }

  private _onChanged(_: IMlopsModel, change: IModelChange): void {
    if (change.runs.has(this._options.sweepId)) {
      this._look();
    }
  }

  private _look(): void {
    const run = this._options.model.run(this._options.runId);
    if (!run) {
      return;
    }
    const mark = `${run.attempt} ${run.cell} ${run.state}`;
    const first = this._mark === '';
    if (mark === this._mark) {
      return;
    }
    this._mark = mark;
    // what is over when it is opened has just been read to its end
    if (!first || !isOver(run.state)) {
      this._wanted = true;
      this._schedule(0);
    }
  }

  private _schedule(delay: number): void {
    this._behind = !this._watch.active;
    if (this._behind) {
      return;
    }
    if (!this._reading && !this.isDisposed) {
      clearTimeout(this._timer);
      const wait = Math.max(delay, this._next - Date.now());
      this._timer = setTimeout(() => void this._read(), wait);
    }
  }

  private async _read(): Promise<void> {
    const { panel, read, model, runId } = this._options;
    const began = Date.now();
    this._wanted = false;
    this._reading = true;
    try {
      const content = await read();
      if (!this.isDisposed) {
        bring(panel, content, this._cells);
        this._cells = content.cells;
      }
    } catch (error) {
      // the server went away for a moment; the panel says so, and the next look comes
      console.warn('The notebook of a live run could not be read.', error);
      this._wanted = true;
    }
    this._reading = false;
    const took = Date.now() - began;
    this._next = Date.now() + Math.max(SOONEST, SHARE * took);
    const run = model.run(runId);
    if (this._wanted || (run && !isOver(run.state))) {
      this._schedule(this._wanted ? 0 : LATEST);
    }
  }

  private readonly _watch: IWatch;
  private readonly _sight: IDisposable;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  /** Whether there was something to read while the notebook was out of sight. */
  private _behind = false;
  private _mark = '';
  private _cells: ICell[] | null = null;
  private _reading = false;
  private _wanted = false;
  private _next = 0;
}

/**
 * Bring an open notebook to what it has become: outputs are put where they changed, so that nothing
 * else moves; only where cells came or went it is drawn anew, at the place where it was.
 */
function bring(
  panel: NotebookPanel,
  content: INotebookContent,
  before: ICell[] | null
): void {
  const { model } = panel.context;
  const cells = [...model.cells];
  const same =
    cells.length === content.cells.length &&
    content.cells.every(
      (cell, i) =>
        cells[i]?.type === cell.cell_type &&
        cells[i].sharedModel.getSource() === sourceOf(cell)
    );
  const { dirty } = model;
  if (same) {
    content.cells.forEach((cell, i) => {
      if (cell.cell_type === 'code') {
        const old = before?.[i] as ICodeCell | undefined;
        bringCell(cells[i] as ICodeCellModel, cell as ICodeCell, old);
      }
    });
    model.dirty = dirty;
  } else if (!dirty) {
    redraw(panel, content);
  }
}

function bringCell(
  model: ICodeCellModel,
  cell: ICodeCell,
  before: ICodeCell | undefined
): void {
  const status = (cell.metadata['papermill'] as { status?: string } | undefined)
    ?.status;
  model.sharedModel.executionState = status === 'running' ? 'running' : 'idle';
  if (model.executionCount !== cell.execution_count) {
    model.executionCount = cell.execution_count;
  }
  if (before && JSONExt.deepEqual(before.outputs, cell.outputs)) {
    return;
  }
  const { outputs } = model;
  model.trusted = model.trusted || cell.metadata.trusted === true;
  const known = before?.outputs ?? [];
  if (
    !before ||
    outputs.length !== known.length ||
    known.length > cell.outputs.length
  ) {
    outputs.fromJSON(cell.outputs);
    return;
  }
  cell.outputs.forEach((output, i) => {
    const old = known[i];
    if (!old) {
      outputs.add(output);
    } else if (!JSONExt.deepEqual(old, output)) {
      outputs.set(i, output);
    }
  });
}

function redraw(panel: NotebookPanel, content: INotebookContent): void {
  const { model } = panel.context;
  const { content: notebook } = panel;
  const { scrollTop } = notebook.outerNode;
  const active = notebook.activeCellIndex;
  model.fromJSON(content);
  model.dirty = false;
  notebook.activeCellIndex = Math.min(active, content.cells.length - 1);
  requestAnimationFrame(() => {
    notebook.outerNode.scrollTop = scrollTop;
  });
}

function sourceOf(cell: ICell): string {
  return Array.isArray(cell.source) ? cell.source.join('') : cell.source;
}
