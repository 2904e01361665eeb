import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import type { Client } from '../api/client';
import { ApiError } from '../api/request';
import type {
  NotebookInfo,
  Parameter,
  SpaceCheck,
  SweepRequest
} from '../api/schema';
import { compact, emptyRequest } from '../model/sweepRequest';

export interface IFormOptions {
  client: Pick<Client, 'notebook' | 'checkSpace' | 'saveDraft'>;
  /** Relative to the server's root. */
  path: string;
  /** Milliseconds of silence after which what was typed is checked; drafts wait three times as long. */
  delay?: number;
}

/** The form of one notebook: what it declares, what is asked for, and what the server says of that. */
export class NotebookForm implements IDisposable {
  constructor(options: IFormOptions) {
    this._path = options.path;
    this._client = options.client;
    this._delay = options.delay ?? 250;
    this._request = emptyRequest(options.path);
  }

  get path(): string {
    return this._path;
  }

  /** The notebook's file has another path now; what a person typed stays, and is remembered there. */
  async rename(path: string): Promise<void> {
    this._path = path;
    this._request = { ...this._request, path };
    this._dirty = this._touched;
    await this.load();
    await this.flush();
  }

  /** Emitted whenever anything below is different. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** What the notebook's file declares; null until it was read. */
  get info(): NotebookInfo | null {
    return this._info;
  }

  /** Why the last start was refused, else why the notebook could not be read. */
  get error(): string {
    return this._refusal || this._error;
  }

  /** Sentences of the last refused start, by what they belong beside. */
  get refused(): Readonly<Record<string, string>> {
    return this._refused;
  }

  /** Show why a start was refused, until the next one or until the form is different; reading the file leaves it. */
  refuse(error: unknown): void {
    this._refused = error instanceof ApiError ? error.fields : {};
    this._refusal = messageOf(error);
    this._changed.emit();
  }

  /** Forget why the last start was refused. */
  accept(): void {
    this._refused = {};
    this._refusal = '';
  }

  get request(): SweepRequest {
    return this._request;
  }

  /** The answer to what stands in the form; the one before while a new one is on its way. */
  get check(): SpaceCheck | null {
    return this._check;
  }

  /** The last answer to a space that could be run: which cells are shared is not asked of nonsense. */
  get sharable(): SpaceCheck | null {
    return this._sharable;
  }

  get checking(): boolean {
    return this._checking;
  }

  /** Declared parameters, then names the form holds that the notebook does not declare. */
  get parameters(): readonly Parameter[] {
    const declared = this._info?.parameters ?? [];
    const known = new Set(declared.map(parameter => parameter.name));
    const strays = [
      ...new Set([...Object.keys(this._request.space), ...this._added])
    ]
      .filter(name => !known.has(name))
      .map(undeclared);
    return [...declared, ...strays];
  }

  isDeclared(name: string): boolean {
    return (
      this._info?.parameters.some(parameter => parameter.name === name) ?? false
    );
  }

  /** Whether the notebook's own metadata holds exactly this form. */
  get savedWithNotebook(): boolean {
    const saved = this._info?.saved;
    return (
      !!saved &&
      JSON.stringify(compact(this._remembered(saved))) ===
        JSON.stringify(compact(this._request))
    );
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    void this.flush();
    this._disposed = true;
    clearTimeout(this._checkTimer);
    this._abort?.abort();
    Signal.clearData(this);
  }

  /** Read what the notebook's file says now; what a person typed stays. */
  async load(): Promise<void> {
    const turn = ++this._loads;
    try {
      const info = await this._client.notebook(this.path);
      if (turn !== this._loads || this._disposed) {
        return;
      }
      const first = this._info === null;
      this._info = info;
      this._error = '';
      if (first && !this._touched) {
        const remembered = info.draft ?? info.saved;
        if (remembered) {
          this._request = this._remembered(remembered);
        }
      }
    } catch (error) {
      if (turn !== this._loads || this._disposed) {
        return;
      }
      this._error = messageOf(error);
      this._changed.emit();
      return;
    }
    this._changed.emit();
    await this.checkNow();
  }

  /** Put a text into a parameter's field; empty means the default. */
  setField(name: string, text: string): void {
    if (!this.isDeclared(name)) {
      this._added.add(name);
    }
    this.update({
      space: this._ordered({ ...this._request.space, [name]: text })
    });
  }

  /** Show a field for a name the notebook does not declare. */
  addField(name: string): void {
    this._added.add(name);
    this._changed.emit();
  }

  removeField(name: string): void {
    this._added.delete(name);
    const space = { ...this._request.space };
    delete space[name];
    this.update({ space });
  }

  /** Change anything else that is asked for. */
  update(change: Partial<SweepRequest>): void {
    this._touched = true;
    this._dirty = true;
    this._error = '';
    this.accept();
    this._request = { ...this._request, ...change };
    if (change.space || change.sampler) {
      this._checking = true;
      clearTimeout(this._checkTimer);
      this._checkTimer = setTimeout(() => void this.checkNow(), this._delay);
    }
    clearTimeout(this._draftTimer);
    this._draftTimer = setTimeout(() => void this.flush(), this._delay * 3);
    this._changed.emit();
  }

  /** Ask the server what the space stands for; the latest question wins. */
  async checkNow(): Promise<void> {
    clearTimeout(this._checkTimer);
    this._abort?.abort();
    if (!this._info) {
      return;
    }
    const abort = new AbortController();
    this._abort = abort;
    this._checking = true;
    const { path, space, sampler } = this._request;
    try {
      const check = await this._client.checkSpace(
        { path, space, sampler },
        abort.signal
      );
      if (abort.signal.aborted) {
        return;
      }
      this._check = check;
      if (check.total > 0) {
        this._sharable = check;
      }
    } catch (error) {
      if (abort.signal.aborted) {
        return;
      }
      this._check = null;
      this._error = messageOf(error);
    }
    this._checking = false;
    this._changed.emit();
  }

  /** Remember the form in the store now. */
  async flush(): Promise<void> {
    clearTimeout(this._draftTimer);
    if (!this._dirty || !this._info) {
      return;
    }
    this._dirty = false;
    try {
      await this._client.saveDraft(this._request);
    } catch (error) {
      // a server that is away gets it with the next keystroke; one that refuses has its sentence shown
      this._dirty = true;
      if (error instanceof ApiError && error.status > 0 && !this._disposed) {
        this._error = error.message;
        this._changed.emit();
      }
    }
  }

  /** What was remembered as a request for this path; notebook files keep their keys sorted. */
  private _remembered(request: Partial<SweepRequest>): SweepRequest {
    return {
      ...emptyRequest(this.path),
      ...request,
      space: this._ordered(request.space ?? {}),
      path: this.path
    };
  }

  /** Fields that hold something, in the order of the notebook: the last parameter varies fastest. */
  private _ordered(space: Record<string, string>): Record<string, string> {
    const declared = this._info?.parameters.map(({ name }) => name) ?? [];
    return Object.fromEntries(
      [...new Set([...declared, ...this._added, ...Object.keys(space)])]
        .map(name => [name, space[name] ?? ''] as const)
        .filter(([, text]) => text.trim())
    );
  }

  private readonly _client: IFormOptions['client'];
  private readonly _delay: number;
  private readonly _changed = new Signal<this, void>(this);
  private readonly _added = new Set<string>();
  private _path: string;
  private _info: NotebookInfo | null = null;
  private _error = '';
  private _refusal = '';
  private _refused: Readonly<Record<string, string>> = {};
  private _request: SweepRequest;
  private _check: SpaceCheck | null = null;
  private _sharable: SpaceCheck | null = null;
  private _checking = false;
  private _touched = false;
  private _dirty = false;
  private _loads = 0;
  private _abort: AbortController | null = null;
  private _checkTimer: ReturnType<typeof setTimeout> | undefined;
  private _draftTimer: ReturnType<typeof setTimeout> | undefined;
  private _disposed = false;
}

function undeclared(name: string): Parameter {
  return {
    name,
    type: 'any',
    default: null,
    default_text: '',
    optional: false,
    choices: null,
    help: ''
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
