import * as React from 'react';

export interface IFieldProps {
  label: string;
  /** What is wrong with it; empty where nothing is. */
  error?: string | undefined;
  help?: string;
  /** What says to an input that it is wrong and why. */
  children(input: {
    id: string;
    'aria-describedby': string | undefined;
    'aria-invalid': boolean;
  }): React.ReactNode;
}

/** A label, an input, and beside it what is wrong. */
export function Field(props: IFieldProps): JSX.Element {
  const { label, error, help } = props;
  const id = React.useId();
  const note = error || help;
  return (
    <div className="jp-MlopsAsk-field" data-wrong={!!error || undefined}>
      <label htmlFor={id}>{label}</label>
      <div className="jp-MlopsAsk-input">
        {props.children({
          id,
          'aria-describedby': note ? `${id}-note` : undefined,
          'aria-invalid': !!error
        })}
        {note && (
          <div
            id={`${id}-note`}
            className={error ? 'jp-MlopsField-error' : 'jp-MlopsAsk-help'}
            role={error ? 'alert' : undefined}
          >
            {note}
          </div>
        )}
      </div>
    </div>
  );
}
