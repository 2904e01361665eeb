/** From what was asked for to a sweep that is open in the main area. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { SpaceCheck, SweepRequest } from '../api/schema';
import type { IMlopsModel } from '../model';
import { CommandIDs } from '../model/commandIds';
import { formatCount } from '../ui/format';
import { canShare, CellList } from '../ui/sharedCells';

export interface IStarterOptions {
  app: Pick<JupyterFrontEnd, 'commands'>;
  model: IMlopsModel;
  trans: TranslationBundle;
  /** Bring what was edited into the notebook's file. */
  save(path: string): Promise<void>;
}

/** Starts sweeps, and asks first where there is something to know. */
export class Starter {
  constructor(private readonly _options: IStarterOptions) {}

  /** Nothing is started where a person thinks better of it. */
  async start(path: string, asked: SweepRequest): Promise<void> {
    const { app, model, save } = this._options;
    await save(path);
    const check = await model.client.checkSpace({
      path,
      space: asked.space,
      sampler: asked.sampler
    });
    const shares = asked.shared_prefix && canShare(check);
    const { confirm_runs } = model.status ?? (await model.client.status());
    const many = check.total > confirm_runs;
    const sharing = shares ? await this._sharingKey(path, check) : '';
    const unknown = shares && !this._confirmed.has(sharing);
    if ((many || unknown) && !(await this._ask(check, many, unknown))) {
      return;
    }
    if (shares) {
      this._confirmed.add(sharing);
    }
    const request = { ...asked, path, shared_prefix: shares };
    const sweep = await model.client.startSweep(request);
    await model.refresh();
    await app.commands.execute(CommandIDs.openSweep, { id: sweep.id });
  }

  /** Of what a person agrees to: which cells are shared follows from the code and from what varies. */
  private async _sharingKey(path: string, check: SpaceCheck): Promise<string> {
    const { hash } = await this._options.model.client.notebook(path);
    const varied = Object.entries(check.fields)
      .filter(([, { count }]) => count > 1)
      .map(([name]) => name)
      .sort();
    return JSON.stringify([path, hash, varied]);
  }

  private async _ask(
    check: SpaceCheck,
    many: boolean,
    sharing: boolean
  ): Promise<boolean> {
    const { trans } = this._options;
    const { total, prefix } = check;
    const { button } = await showDialog({
      title: many
        ? trans.__('Start %1 runs?', formatCount(total))
        : trans._n(
            'Run the first code cell once per slot?',
            'Run the first %1 code cells once per slot?',
            prefix.cells.length
          ),
      body: (
        <div className="jp-MlopsConfirm">
          {many && (
            <p>
              {trans.__(
                'The first runs alone and shows how long one takes. You can pause or stop at any time.'
              )}
            </p>
          )}
          {sharing && <Shared check={check} many={many} trans={trans} />}
        </div>
      ),
      buttons: [
        Dialog.cancelButton(),
        Dialog.okButton({
          label: trans.__('Start %1 Runs', formatCount(total))
        })
      ]
    });
    return button.accept;
  }

  private readonly _confirmed = new Set<string>();
}

function Shared(props: {
  check: SpaceCheck;
  many: boolean;
  trans: TranslationBundle;
}): JSX.Element {
  const { check, many, trans } = props;
  const { cells, reason } = check.prefix;
  return (
    <>
      <p>
        {many
          ? trans._n(
              'The first code cell runs once per slot, and the runs go on from there:',
              'The first %1 code cells run once per slot, and the runs go on from there:',
              cells.length
            )
          : trans.__('The runs go on from where these cells ended:')}
      </p>
      <CellList cells={cells} trans={trans} />
      {reason && <p>{reason}</p>}
      <p>
        {trans.__(
          'What they draw at random, write and open is the same for all runs of a slot.'
        )}
      </p>
    </>
  );
}
