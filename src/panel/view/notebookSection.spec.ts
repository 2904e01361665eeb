import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { IMlopsModel } from '../../model';
import { modelOf } from '../../testing/real';
import { byRole, type } from '../../testing/render';
import { FakeServer, infoOf, parameterOf } from '../../testing/server';
import { NotebookSection } from './notebookSection';

/** The part of an open notebook that the section looks at. */
class OpenNotebook {
  constructor(public path: string) {}

  readonly ready = Promise.resolve();
  readonly pathChanged = new Signal<this, string>(this);
  readonly saveState = new Signal<this, DocumentRegistry.SaveState>(this);
  readonly disposed = new Signal<this, void>(this);
  readonly model = {
    dirty: false,
    stateChanged: new Signal<this, object>(this)
  };

  get panel(): NotebookPanel {
    return this._panel as unknown as NotebookPanel;
  }

  rename(path: string): void {
    this.path = path;
    this.pathChanged.emit(path);
  }

  private readonly _panel = { context: this, isDisposed: false };
}

describe('the notebook’s section of the panel', () => {
  let server: FakeServer;
  let model: IMlopsModel;
  let section: NotebookSection;
  let front: OpenNotebook | null;
  const currentChanged = new Signal<object, NotebookPanel | null>({});

  const show = (notebook: OpenNotebook | null) => {
    front = notebook;
    currentChanged.emit(notebook?.panel ?? null);
  };
  const put = (path: string) =>
    server.notebooks.set(
      path,
      infoOf(path, { parameters: [parameterOf('depth')] })
    );

  beforeEach(() => {
    server = new FakeServer();
    for (const path of ['a.ipynb', 'b.ipynb', 'renamed.ipynb']) {
      put(path);
    }
    model = modelOf(server);
    front = null;
    const tracker = {
      currentChanged,
      get currentWidget() {
        return front?.panel ?? null;
      }
    } as unknown as INotebookTracker;
    section = new NotebookSection({
      model,
      tracker,
      commands: new CommandRegistry(),
      trans: nullTranslator.load(''),
      localPath: path => path
    });
    Widget.attach(section, document.body);
  });

  afterEach(() => {
    section.dispose();
    model.dispose();
  });

  it('keeps what was typed when the notebook is renamed, and remembers it there', async () => {
    const notebook = new OpenNotebook('a.ipynb');
    show(notebook);
    type(await byRole('textbox', 'depth'), '1,2,3');
    await vi.waitFor(() => expect(section.form?.check?.total).toBe(3));
    notebook.rename('renamed.ipynb');
    await vi.waitFor(() =>
      expect(
        server.askedFor('notebook/draft', 'PUT').at(-1)?.body
      ).toMatchObject({ path: 'renamed.ipynb', space: { depth: '1,2,3' } })
    );
    expect(section.form?.path).toBe('renamed.ipynb');
    expect(((await byRole('textbox', 'depth')) as HTMLInputElement).value).toBe(
      '1,2,3'
    );
    expect(section.formOf('a.ipynb')).toBeUndefined();
  });

  it('keeps what was typed in a notebook that is renamed behind another one', async () => {
    const notebook = new OpenNotebook('a.ipynb');
    show(notebook);
    type(await byRole('textbox', 'depth'), '1,2');
    show(new OpenNotebook('b.ipynb'));
    notebook.rename('renamed.ipynb');
    expect(section.formOf('renamed.ipynb')?.request.space).toEqual({
      depth: '1,2'
    });
  });

  it('lets go of the form of a notebook that is closed behind another one', async () => {
    const notebook = new OpenNotebook('a.ipynb');
    show(notebook);
    await byRole('textbox', 'depth');
    const form = section.formOf('a.ipynb');
    show(new OpenNotebook('b.ipynb'));
    notebook.disposed.emit();
    expect(section.formOf('a.ipynb')).toBeUndefined();
    expect(form?.isDisposed).toBe(true);
    expect(section.form?.path).toBe('b.ipynb');
  });

  it('shows none once the notebook in front is closed', async () => {
    const notebook = new OpenNotebook('a.ipynb');
    show(notebook);
    await byRole('textbox', 'depth');
    notebook.disposed.emit();
    expect(section.form).toBeNull();
  });
});
