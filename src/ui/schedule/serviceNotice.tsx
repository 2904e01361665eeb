import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';
import type { Client } from '../../api/client';
import type { ServiceKeep } from '../../api/schema';
import { CommandIDs } from '../../model/commandIds';

export interface IKeeperProps {
  client: Pick<Client, 'serviceKeep'>;
  commands: CommandRegistry;
  trans: TranslationBundle;
  /** What a pipeline's details say; left out where there is no pipeline yet. */
  keeper?: string;
  /** Whether that ends with the login; left out where there is no pipeline yet. */
  ends?: boolean;
}

/** Which process fires it, and a way to one that outlives the login where none does. */
export function Keeper(props: IKeeperProps): JSX.Element | null {
  const { client, commands, trans, keeper } = props;
  const [keep, setKeep] = React.useState<ServiceKeep | null>(null);
  const [installing, setInstalling] = React.useState(false);
  const look = React.useCallback(async () => {
    try {
      setKeep(await client.serviceKeep());
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      setKeep({ installed: false, possible: false, unit: '', message });
    }
  }, [client]);
  React.useEffect(() => void look(), [look]);
  if (!keep) {
    return keeper ? <p className="jp-MlopsAsk-help">{keeper}</p> : null;
  }
  const ends = !keep.installed && (props.ends ?? true);
  const sentence = keep.installed
    ? trans.__(
        'The installed service fires it, whether or not you are logged in.'
      )
    : keeper ||
      trans.__(
        'The background service fires it. It goes on when JupyterLab is closed, and ends with your login or the machine.'
      );
  return (
    <div className="jp-MlopsKeeper" data-ends={ends || undefined}>
      <p>{sentence}</p>
      {(ends || keep.installed) && keep.message && <p>{keep.message}</p>}
      {ends && keep.possible && (
        <button
          type="button"
          className="jp-MlopsTool"
          disabled={installing}
          title={trans.__(
            'A systemd unit of yours starts the service when the machine does'
          )}
          onClick={() => {
            setInstalling(true);
            void commands
              .execute(CommandIDs.installService)
              .then(look)
              .finally(() => setInstalling(false));
          }}
        >
          {trans.__('Install service')}
        </button>
      )}
    </div>
  );
}
