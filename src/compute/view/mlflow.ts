import { PageConfig, URLExt } from '@jupyterlab/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { IFrame } from '@jupyterlab/ui-components';
import { PanelLayout, Widget } from '@lumino/widgets';
import type { Client } from '../../api/client';
import { followVisibility } from '../../ui/visibility';

export interface IMlflowOptions {
  client: Pick<Client, 'connection' | 'startService'>;
  trans: TranslationBundle;
  /** Place inside MLflow's interface, such as `/experiments/1/runs?…`. */
  place?: string;
}

/** Milliseconds between looks, while MLflow is there and while it is not. */
const EVERY = 10_000;
const RETRY = 2_000;

/** MLflow opens its assistant beside everything at its first visit, unless this says that it has done so. */
const ASSISTANT = 'mlflow.assistant.fab.autoOpenedOnFirstLoad_v1';

/**
 * MLflow's own interface in a frame, or why there is none.
 *
 * MLflow ends with the service, which ends when it has nothing to do: what is opened or comes to the front starts it,
 * and what ends in sight offers to.
 */
export class MlflowView extends Widget {
  constructor(private readonly _options: IMlflowOptions) {
    super();
    this.addClass('jp-MlopsMlflow');
    const { trans } = _options;
    this._place = _options.place ?? '';
    this._text.setAttribute('role', 'status');
    this._start.type = 'button';
    this._start.className = 'jp-MlopsTool';
    this._start.textContent = trans.__('Start MLflow');
    this._start.onclick = () => void this._begin();
    this._note.addClass('jp-MlopsMlflow-note');
    this._note.node.append(this._text, this._start);
    this._frame.addClass('jp-MlopsMlflow-frame');
    this._frame.node
      .querySelector('iframe')
      ?.setAttribute('title', trans.__('MLflow'));
    const layout = new PanelLayout();
    layout.addWidget(this._note);
    layout.addWidget(this._frame);
    this.layout = layout;
    this._frame.hide();
    localStorage.setItem(ASSISTANT, 'true');
    followVisibility(this, visible => {
      clearTimeout(this._timer);
      if (visible) {
        void this._begin();
      }
    });
  }

  /** Show a place inside MLflow's interface. */
  go(place: string): void {
    this._place = place;
    if (this._shown) {
      this._frame.url = this._url();
    }
  }

  override dispose(): void {
    clearTimeout(this._timer);
    super.dispose();
  }

  /** Have MLflow started where it does not run, and look for it until it answers. */
  private async _begin(): Promise<void> {
    const { client, trans } = this._options;
    this._begun = true;
    this._say(trans.__('MLflow is starting…'));
    try {
      await client.startService();
    } catch (error) {
      // who may only look sees it where it runs
      this._begun = false;
      this._refused = error instanceof Error ? error.message : String(error);
    }
    await this._look();
  }

  private async _look(): Promise<void> {
    clearTimeout(this._timer);
    const { client, trans } = this._options;
    let problem = '';
    try {
      // the page itself, so that a refusal is shown as its sentence and not as JSON in a frame
      await client.connection.request(['mlflow', '']);
      this._begun = false;
      this._refused = '';
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    if (this.isDisposed) {
      return;
    }
    if (problem) {
      this._shown = false;
      this._say(
        this._begun
          ? trans.__('MLflow is starting…')
          : this._refused || trans.__('%1 It ends when nothing runs.', problem)
      );
      this._note.show();
      this._frame.hide();
    } else if (!this._shown) {
      this._shown = true;
      this._frame.url = this._url();
      this._note.hide();
      this._frame.show();
    }
    if (this.isVisible) {
      this._timer = setTimeout(
        () => void this._look(),
        problem ? RETRY : EVERY
      );
    }
  }

  private _say(text: string): void {
    this._start.hidden = this._begun;
    if (this._text.textContent !== text) {
      this._text.textContent = text;
    }
  }

  private _url(): string {
    const base = URLExt.join(PageConfig.getBaseUrl(), 'mlops/mlflow/');
    const place = this._place || '/experiments';
    // else MLflow shows what it has for language models
    return `${base}#${place}${place.includes('?') ? '&' : '?'}workflowType=machine_learning`;
  }

  private readonly _note = new Widget();
  private readonly _text = document.createElement('span');
  private readonly _start = document.createElement('button');
  private readonly _frame = new IFrame({
    sandbox: [
      'allow-scripts',
      'allow-same-origin',
      'allow-forms',
      'allow-popups',
      'allow-downloads'
    ]
  });
  private _place: string;
  private _shown = false;
  /** Whether it was started from here and has not answered since. */
  private _begun = false;
  private _refused = '';
  private _timer: ReturnType<typeof setTimeout> | undefined;
}
