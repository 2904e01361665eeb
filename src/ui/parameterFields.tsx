/** Fields for parameter values, and what they hold. */
import * as React from 'react';
import type { PipelineDetails } from '../api/schema';
import { Field } from './field';

/** One field a parameter; what is left empty is as the placeholder says. */
export function ParameterFields(props: {
  names: readonly string[];
  defaults: Readonly<Record<string, unknown>>;
  values: Readonly<Record<string, unknown>>;
  error?: string | undefined;
  onChange(values: Record<string, unknown>): void;
}): JSX.Element {
  const { names, defaults, values, error } = props;
  const [typed, setTyped] = React.useState<Record<string, string>>({});
  return (
    <>
      {names.map(name => (
        <Field key={name} label={name}>
          {input => (
            <input
              {...input}
              className="jp-mod-styled jp-MlopsAsk-code"
              spellCheck={false}
              placeholder={textOf(defaults[name])}
              value={typed[name] ?? textOf(values[name])}
              onChange={event => {
                const text = event.target.value;
                setTyped({ ...typed, [name]: text });
                const next = { ...values };
                if (text === '') {
                  delete next[name];
                } else {
                  next[name] = valueOf(text, defaults[name]);
                }
                props.onChange(next);
              }}
            />
          )}
        </Field>
      ))}
      {error && (
        <div className="jp-MlopsField-error" role="alert">
          {error}
        </div>
      )}
    </>
  );
}

/** What was typed: a text where the parameter is one, else as JSON has it where it is JSON. */
export function valueOf(text: string, like: unknown): unknown {
  if (typeof like === 'string') {
    return text;
  }
  // as Python writes them
  const known = { True: true, False: false, None: null }[text.trim()];
  if (known !== undefined) {
    return known;
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function textOf(value: unknown): string {
  return value === undefined
    ? ''
    : typeof value === 'string'
      ? value
      : JSON.stringify(value);
}

/** Of the version that fires, with their values. */
export function parametersOf(
  details: PipelineDetails
): Readonly<Record<string, unknown>> {
  const { pipeline, versions } = details;
  const version = versions.find(({ number }) => number === pipeline.version);
  return version?.definition.parameters ?? {};
}
