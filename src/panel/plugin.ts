import {
  ILayoutRestorer,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { IMlopsModel } from '../model';
import { CommandIDs } from '../model/commandIds';
import { localPaths } from '../model/paths';
import { mlopsIcon } from '../ui/icons';
import { MlopsPanel } from './view/panel';

/** The workspace's entry for the sections that are folded. */
const FOLDED = 'jupyter-mlops:folded';

/** The panel in the left sidebar. */
export const panelPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:panel',
  description:
    'The left sidebar’s panel: notebook, sweeps, pipelines, compute.',
  autoStart: true,
  requires: [IMlopsModel, INotebookTracker],
  optional: [ITranslator, ILayoutRestorer, ICommandPalette, IStateDB],
  activate: (
    app,
    model: IMlopsModel,
    tracker: INotebookTracker,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    state: IStateDB | null
  ) => {
    const languages = translator ?? nullTranslator;
    const trans = languages.load('jupyter_mlops');
    const panel = new MlopsPanel({
      model,
      tracker,
      commands: app.commands,
      translator: languages,
      localPath: localPaths(app.serviceManager.contents)
    });
    void state?.fetch(FOLDED).then(folded => {
      if (Array.isArray(folded)) {
        panel.folded = folded.map(String);
      }
    });
    panel.foldedChanged.connect(
      (_, folded) => void state?.save(FOLDED, folded)
    );
    restorer?.add(panel, panel.id);
    app.shell.add(panel, 'left', { rank: 210, type: 'MLOps' });
    app.commands.addCommand(CommandIDs.showPanel, {
      label: trans.__('Show MLOps'),
      caption: trans.__('Show the MLOps panel'),
      icon: mlopsIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => app.shell.activateById(panel.id)
    });
    palette?.addItem({
      command: CommandIDs.showPanel,
      category: trans.__('MLOps')
    });
  }
};
