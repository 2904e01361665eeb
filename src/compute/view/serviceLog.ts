import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';
import type { Client } from '../../api/client';
import { followVisibility } from '../../ui/visibility';

/** Milliseconds between looks while it is in front. */
const EVERY = 3_000;

/** The end of the service's log, followed while it is shown. */
export class ServiceLogView extends Widget {
  constructor(
    private readonly _client: Pick<Client, 'serviceLog'>,
    private readonly _trans: TranslationBundle
  ) {
    super({ node: document.createElement('pre') });
    this.addClass('jp-MlopsLog');
    this.node.tabIndex = 0;
    this.node.setAttribute('role', 'log');
    this.node.setAttribute('aria-label', _trans.__('Service log'));
    followVisibility(this, visible => {
      if (visible) {
        void this._follow();
      } else {
        clearTimeout(this._timer);
      }
    });
  }

  override dispose(): void {
    clearTimeout(this._timer);
    super.dispose();
  }

  private async _follow(): Promise<void> {
    clearTimeout(this._timer);
    let text: string;
    try {
      text = (await this._client.serviceLog()).text;
    } catch (error) {
      text = error instanceof Error ? error.message : String(error);
    }
    if (this.isDisposed) {
      return;
    }
    const { node } = this;
    const atEnd = node.scrollHeight - node.scrollTop - node.clientHeight < 40;
    node.textContent =
      text || this._trans.__('The service has written nothing yet.');
    if (atEnd) {
      node.scrollTop = node.scrollHeight;
    }
    if (this.isVisible) {
      this._timer = setTimeout(() => void this._follow(), EVERY);
    }
  }

  private _timer: ReturnType<typeof setTimeout> | undefined;
}
