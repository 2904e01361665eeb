import { PageConfig, URLExt } from '@jupyterlab/coreutils';
import type { ServerConnection } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import { IFrame } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import { PanelLayout, Widget } from '@lumino/widgets';
import { request } from '../../api/request';

export interface IMlflowOptions {
  serverSettings: ServerConnection.ISettings;
  trans: TranslationBundle;
  /** Place inside MLflow's interface, such as `/experiments/1`. */
  place?: string;
}

/** Milliseconds between looks while MLflow is not there. */
const RETRY = 3_000;

/** MLflow's own interface in a frame, or why there is none yet. */
export class MlflowView extends Widget {
  constructor(private readonly _options: IMlflowOptions) {
    super();
    this.addClass('jp-MlopsMlflow');
    this._note.addClass('jp-MlopsMlflow-note');
    this._note.node.setAttribute('role', 'status');
    this._frame.addClass('jp-MlopsMlflow-frame');
    this._frame.node
      .querySelector('iframe')
      ?.setAttribute('title', _options.trans.__('MLflow'));
    const layout = new PanelLayout();
    layout.addWidget(this._note);
    layout.addWidget(this._frame);
    this.layout = layout;
    this._frame.hide();
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

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._place ||= this._options.place ?? '';
    void this._look();
  }

  private async _look(): Promise<void> {
    clearTimeout(this._timer);
    if (this._shown || this.isDisposed) {
      return;
    }
    this._note.node.textContent ||= this._options.trans.__(
      'Looking for MLflow…'
    );
    try {
      // the page itself, so that a refusal is shown as its sentence and not as JSON in a frame
      await request(this._options.serverSettings, ['mlflow', '']);
    } catch (error) {
      this._note.node.textContent =
        error instanceof Error ? error.message : String(error);
      this._timer = setTimeout(() => void this._look(), RETRY);
      return;
    }
    this._shown = true;
    this._frame.url = this._url();
    this._note.hide();
    this._frame.show();
  }

  private _url(): string {
    const base = URLExt.join(PageConfig.getBaseUrl(), 'mlops/mlflow/');
    // else MLflow shows what it has for language models
    return `${base}#${this._place || '/experiments'}?workflowType=machine_learning`;
  }

  private readonly _note = new Widget();
  private readonly _frame = new IFrame({
    sandbox: [
      'allow-scripts',
      'allow-same-origin',
      'allow-forms',
      'allow-popups',
      'allow-downloads'
    ]
  });
  private _place = '';
  private _shown = false;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}
