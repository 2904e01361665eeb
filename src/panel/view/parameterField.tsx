import type { TranslationBundle } from '@jupyterlab/translation';
import { caretDownIcon, closeIcon, MenuSvg } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';
import * as React from 'react';
import type { FieldCheck, Parameter } from '../../api/schema';
import { formatCount } from '../../ui/format';
import {
  choicesOf,
  choose,
  chosen,
  defaultChoice,
  kindOf,
  kindsOf,
  suggest,
  type Kind
} from './spaceKinds';

export interface IFieldProps {
  parameter: Parameter;
  text: string;
  check: FieldCheck | undefined;
  trans: TranslationBundle;
  onChange(text: string): void;
  /** Only for names that the notebook does not declare. */
  onRemove?: () => void;
}

/** One parameter: what it is, what to try, how many values that makes, what is wrong with it. */
export function Field(props: IFieldProps): JSX.Element {
  const { parameter, text, check, trans } = props;
  const id = React.useId();
  const options = choicesOf(parameter);
  const on = options && chosen(text, options);
  const error = text.trim() ? check?.error : '';
  const described = [parameter.help && `${id}-help`, error && `${id}-error`]
    .filter(Boolean)
    .join(' ');
  return (
    <div
      className={`jp-MlopsField${error ? ' jp-mod-error' : ''}${text.trim() ? ' jp-mod-given' : ''}`}
      data-parameter={parameter.name}
    >
      <div className="jp-MlopsField-head" title={tooltip(parameter, trans)}>
        <label className="jp-MlopsField-name" htmlFor={id}>
          {parameter.name}
        </label>
        <span className="jp-MlopsField-type">{typeName(parameter)}</span>
        <Count check={check} text={text} trans={trans} />
        {props.onRemove && (
          <button
            type="button"
            className="jp-MlopsIconButton"
            title={trans.__('Remove “%1”', parameter.name)}
            aria-label={trans.__('Remove “%1”', parameter.name)}
            onClick={props.onRemove}
          >
            <closeIcon.react tag="span" width="12px" height="12px" />
          </button>
        )}
      </div>
      {options && on ? (
        <Choices
          id={id}
          parameter={parameter}
          options={options}
          on={on}
          onChange={props.onChange}
          described={described}
        />
      ) : (
        <Text
          id={id}
          parameter={parameter}
          text={text}
          trans={trans}
          invalid={!!error}
          described={described}
          onChange={props.onChange}
        />
      )}
      {error && (
        <div className="jp-MlopsField-error" id={`${id}-error`} role="alert">
          {error}
        </div>
      )}
      {parameter.help && (
        <div
          className="jp-MlopsField-help"
          id={`${id}-help`}
          title={parameter.help}
        >
          {parameter.help}
        </div>
      )}
    </div>
  );
}

function Count(props: {
  check: FieldCheck | undefined;
  text: string;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { check, text, trans } = props;
  if (!text.trim() || !check || check.error || check.count === 0) {
    return null;
  }
  return (
    <span
      className={`jp-MlopsField-count${check.count > 1 ? ' jp-mod-varied' : ''}`}
      title={check.preview}
      aria-label={trans._n('%1 value', '%1 values', check.count)}
    >
      {check.count > 1 ? `×${formatCount(check.count)}` : '1'}
    </span>
  );
}

/** A text input that is never moved under a person's cursor by a late redraw. */
export function TextInput(
  props: Omit<React.InputHTMLAttributes<HTMLInputElement>, 'onChange'> & {
    value: string;
    onChange(text: string): void;
    inputRef?: React.RefObject<HTMLInputElement>;
  }
): JSX.Element {
  const { value, onChange, inputRef, className, ...rest } = props;
  const [text, setText] = React.useState(value);
  const own = React.useRef<HTMLInputElement>(null);
  const ref = inputRef ?? own;
  React.useEffect(() => {
    // what is made of what is being typed may be written differently
    if (document.activeElement !== ref.current) {
      setText(value);
    }
  }, [value, ref]);
  return (
    <input
      type="text"
      spellCheck={false}
      autoComplete="off"
      autoCapitalize="off"
      {...rest}
      ref={ref}
      className={`jp-mod-styled ${className ?? ''}`}
      value={text}
      onBlur={() => setText(value)}
      onChange={event => {
        setText(event.target.value);
        onChange(event.target.value);
      }}
    />
  );
}

function Text(props: {
  id: string;
  parameter: Parameter;
  text: string;
  trans: TranslationBundle;
  invalid: boolean;
  described: string;
  onChange(text: string): void;
}): JSX.Element {
  const { id, parameter, text, trans, onChange } = props;
  const input = React.useRef<HTMLInputElement>(null);
  return (
    <div className="jp-MlopsField-input">
      <TextInput
        id={id}
        inputRef={input}
        value={text}
        placeholder={parameter.default_text || trans.__('value')}
        aria-invalid={props.invalid}
        aria-describedby={props.described || undefined}
        onChange={onChange}
      />
      <button
        type="button"
        className="jp-MlopsIconButton"
        title={trans.__('What to try: one value, a list, a range…')}
        aria-label={trans.__('What to try for “%1”', parameter.name)}
        aria-haspopup="menu"
        onClick={event => {
          const kinds: Kind[] = [...kindsOf(parameter)];
          if (parameter.default_text) {
            kinds.unshift('default');
          }
          openKinds(
            event.currentTarget,
            kinds,
            parameter,
            text,
            trans,
            next => {
              onChange(next);
              // after React has put the new text there
              requestAnimationFrame(() => {
                input.current?.focus();
                input.current?.select();
              });
            }
          );
        }}
      >
        <caretDownIcon.react tag="span" width="14px" height="14px" />
      </button>
    </div>
  );
}

function openKinds(
  anchor: HTMLElement,
  kinds: readonly Kind[],
  parameter: Parameter,
  text: string,
  trans: TranslationBundle,
  pick: (text: string) => void
): void {
  const commands = new CommandRegistry();
  const menu = new MenuSvg({ commands });
  menu.addClass('jp-MlopsKinds');
  const present = kindOf(text, parameter);
  const labels: Record<Kind, string> = {
    default: trans.__('Default'),
    value: trans.__('One value'),
    list: trans.__('List'),
    range: trans.__('Range'),
    log: trans.__('Logarithmic range')
  };
  for (const kind of kinds) {
    const next = suggest(kind, parameter, text);
    commands.addCommand(kind, {
      label: labels[kind],
      caption: next,
      isToggled: () => kind === present,
      isToggleable: true,
      execute: () => pick(next)
    });
    menu.addItem({ command: kind });
  }
  const box = anchor.getBoundingClientRect();
  menu.aboutToClose.connect(() => {
    // the command runs after the menu has closed
    setTimeout(() => menu.dispose(), 0);
  });
  menu.open(box.right, box.bottom, { horizontalAlignment: 'right' });
}

function Choices(props: {
  id: string;
  parameter: Parameter;
  options: readonly string[];
  on: readonly string[];
  described: string;
  onChange(text: string): void;
}): JSX.Element {
  const { id, parameter, options, on, described, onChange } = props;
  const normal = defaultChoice(parameter);
  return (
    <div
      id={id}
      className="jp-MlopsChoices"
      role="group"
      aria-label={parameter.name}
      aria-describedby={described || undefined}
    >
      {options.map(option => {
        const pressed = on.includes(option);
        return (
          <button
            type="button"
            key={option}
            className={`jp-MlopsChip${pressed ? ' jp-mod-on' : ''}${
              on.length === 0 && option === normal ? ' jp-mod-default' : ''
            }`}
            aria-pressed={pressed}
            onClick={() =>
              onChange(
                choose(
                  parameter,
                  options,
                  pressed
                    ? on.filter(other => other !== option)
                    : [...on, option]
                )
              )
            }
          >
            {option}
          </button>
        );
      })}
    </div>
  );
}

function typeName(parameter: Parameter): string {
  if (parameter.type === 'any' || parameter.type === 'choice') {
    return '';
  }
  return parameter.optional ? `${parameter.type}?` : parameter.type;
}

function tooltip(parameter: Parameter, trans: TranslationBundle): string {
  const lines = [
    `${parameter.name}${parameter.type === 'any' ? '' : `: ${parameter.type}`}`,
    parameter.default_text && trans.__('default %1', parameter.default_text),
    parameter.help
  ];
  return lines.filter(Boolean).join('\n');
}
