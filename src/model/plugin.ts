import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import {
  ITranslator,
  nullTranslator,
  type TranslationBundle
} from '@jupyterlab/translation';
import { Client } from '../api/client';
import { Connection } from '../api/request';
import { API_VERSION } from '../api/schema';
import { IMlopsModel } from './';
import { MlopsModel } from './model';

/** The model, shared by everything else. */
export const modelPlugin: JupyterFrontEndPlugin<IMlopsModel> = {
  id: 'jupyter-mlops:model',
  description:
    'Sweeps, their runs, pipelines and the service behind them, kept current.',
  autoStart: true,
  optional: [ITranslator],
  provides: IMlopsModel,
  activate: (app, translated: ITranslator | null) => {
    const translator = translated ?? nullTranslator;
    const { serverSettings, events } = app.serviceManager;
    const connection = new Connection(serverSettings, translator);
    announceOtherVersion(connection, translator.load('jupyter_mlops'), () =>
      location.reload()
    );
    const model = new MlopsModel({
      client: new Client(connection),
      events: events.stream
    });
    void app.restored.then(() => model.start());
    return model;
  }
};

/** Say once that this page and the server are of two versions, and what helps; take it back once they are of one. */
export function announceOtherVersion(
  connection: Connection,
  trans: TranslationBundle,
  reload: () => void
): void {
  let told = API_VERSION;
  let notice = '';
  connection.answered.connect((_, version) => {
    if (version === told) {
      return;
    }
    told = version;
    Notification.dismiss(notice);
    if (version > API_VERSION) {
      notice = Notification.warning(
        trans.__('Reload this page: jupyter-mlops was updated on the server.'),
        {
          autoClose: false,
          actions: [{ label: trans.__('Reload'), callback: reload }]
        }
      );
    } else if (version < API_VERSION) {
      notice = Notification.warning(
        trans.__(
          'Restart the Jupyter server: jupyter-mlops was updated, and the server still runs the version before.'
        ),
        { autoClose: false }
      );
    }
  });
}
