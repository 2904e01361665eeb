import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import { Debouncer } from '@lumino/polling';
import { Signal, type ISignal } from '@lumino/signaling';
import type { Client } from '../../api/client';
import type { GraphStep, PipelineCheck, Problem } from '../../api/schema';

/** Milliseconds after the last key. */
const CALM = 300;

/** What a pipeline's text says, kept current while it is typed. */
export class Checker implements IDisposable {
  constructor(
    private readonly _context: DocumentRegistry.CodeContext,
    private readonly _client: Pick<Client, 'checkPipelineText'>,
    private readonly _localPath: (path: string) => string | null,
    private readonly _trans: TranslationBundle
  ) {
    this._later = new Debouncer(() => this.check(), CALM);
    void _context.ready.then(() => {
      if (!this.isDisposed) {
        _context.model.contentChanged.connect(this._onText, this);
        _context.pathChanged.connect(this._onText, this);
        void this.check();
      }
    });
  }

  /** The steps as they were when they could last be read. */
  graph: readonly GraphStep[] = [];
  problems: readonly Problem[] = [];
  /** Whether the present text gives that graph. */
  readable = true;
  /** Whether it was checked once. */
  known = false;
  /** Why it could not be checked; empty while all is well. */
  error = '';

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._context.isDisposed || this._disposed;
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      this._asking?.abort();
      this._later.dispose();
      Signal.clearData(this);
    }
  }

  /** Ask now; an answer to an older text is not waited for. */
  async check(): Promise<void> {
    this._asking?.abort();
    const asking = (this._asking = new AbortController());
    const path = this._localPath(this._context.path);
    const text = this._context.model.sharedModel.getSource();
    let answer: PipelineCheck;
    try {
      if (path === null) {
        throw new Error(
          this._trans.__('This file is not one of the Jupyter server’s folder.')
        );
      }
      answer = await this._client.checkPipelineText(
        { path, text },
        asking.signal
      );
      this.error = '';
    } catch (error) {
      if (!asking.signal.aborted) {
        this.error = error instanceof Error ? error.message : String(error);
        this._changed.emit();
      }
      return;
    }
    if (asking.signal.aborted) {
      return;
    }
    this.known = true;
    this.problems = answer.problems;
    this.readable = answer.graph.length > 0 || answer.problems.length === 0;
    if (this.readable) {
      this.graph = answer.graph;
    }
    this._changed.emit();
  }

  private _onText(): void {
    void this._later.invoke();
  }

  private readonly _later: Debouncer<void>;
  private readonly _changed = new Signal<this, void>(this);
  private _asking: AbortController | null = null;
  private _disposed = false;
}
