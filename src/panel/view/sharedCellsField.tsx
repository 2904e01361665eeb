import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { canShare, CellList } from '../../ui/sharedCells';
import type { NotebookForm } from '../notebookFormState';

/** Whether the cells above what varies run once per slot; there where it is possible or was asked for. */
export function Sharing(props: {
  form: NotebookForm;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { form, trans } = props;
  const id = React.useId();
  const node = React.useRef<HTMLDivElement>(null);
  const [byHand, setByHand] = React.useState(false);
  React.useEffect(() => {
    // what appears now is what a person is about to agree to
    if (byHand) {
      node.current?.scrollIntoView({ block: 'nearest' });
    }
  }, [byHand]);
  const { sharable: check, request } = form;
  const refused = form.refused['shared_prefix'];
  if (!check) {
    return null;
  }
  const possible = canShare(check);
  if (!possible && !request.shared_prefix) {
    return null;
  }
  const { cells, reason } = check.prefix;
  const ticked = possible && request.shared_prefix;
  return (
    <div className="jp-MlopsSharing" ref={node}>
      <label className="jp-MlopsCheck">
        <input
          type="checkbox"
          checked={ticked}
          disabled={!possible}
          aria-describedby={`${id}-help${refused ? ` ${id}-error` : ''}`}
          aria-invalid={!!refused}
          onChange={({ target: { checked } }) => {
            form.update({ shared_prefix: checked });
            setByHand(checked);
          }}
        />
        <span>
          {possible
            ? trans._n(
                'Run the first code cell once per slot',
                'Run the first %1 code cells once per slot',
                cells.length
              )
            : trans.__('Run the first cells once per slot')}
        </span>
      </label>
      {refused && (
        <div className="jp-MlopsField-error" id={`${id}-error`} role="alert">
          {refused}
        </div>
      )}
      <div className="jp-MlopsSharing-help" id={`${id}-help`}>
        {possible
          ? trans.__(
              'They use nothing that varies. Runs go on from there, so what they load is loaded once.'
            )
          : check.total > 1
            ? reason || trans.__('No cell stands above what varies.')
            : trans.__('One run alone shares nothing.')}
      </div>
      {ticked && (
        <>
          <CellList cells={cells} trans={trans} />
          {reason && <div className="jp-MlopsSharing-help">{reason}</div>}
        </>
      )}
    </div>
  );
}
