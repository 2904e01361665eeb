import {
  caretDownIcon,
  caretRightIcon,
  ReactWidget,
  UseSignal,
  type LabIcon
} from '@jupyterlab/ui-components';
import { Signal, type ISignal } from '@lumino/signaling';
import { Panel, type Widget } from '@lumino/widgets';
import * as React from 'react';

/** A button at the right of a section's title. */
export interface ITool {
  icon: LabIcon;
  label: string;
  /** Whether what it shows is shown; undefined where it does something once. */
  pressed?(): boolean;
  act(): void;
}

/** A part of the panel: as high as its content, and folded to its title on demand. */
export class Section extends Panel {
  constructor(
    /** The same in every language. */
    readonly name: string,
    label: string,
    body: Widget,
    tool?: ITool
  ) {
    super();
    this.addClass('jp-MlopsSection');
    this._body = body;
    body.id = body.id || `jp-mlops-${name}`;
    this.addWidget(
      ReactWidget.create(
        <UseSignal signal={this._changed}>
          {() => (
            <Head
              label={label}
              body={body.id}
              open={this.open}
              onToggle={() => {
                this.open = !this.open;
                this._toggled.emit();
              }}
              tool={tool}
              onTool={() => {
                tool?.act();
                this._changed.emit();
              }}
            />
          )}
        </UseSignal>
      )
    );
    this.addWidget(body);
  }

  /** A person opened or folded it. */
  get toggled(): ISignal<this, void> {
    return this._toggled;
  }

  get open(): boolean {
    return !this._body.isHidden;
  }
  set open(open: boolean) {
    this._body.setHidden(!open);
    this._changed.emit();
  }

  private readonly _body: Widget;
  private readonly _changed = new Signal<this, void>(this);
  private readonly _toggled = new Signal<this, void>(this);
}

function Head(props: {
  label: string;
  body: string;
  open: boolean;
  onToggle(): void;
  tool: ITool | undefined;
  onTool(): void;
}): JSX.Element {
  const { label, open, tool } = props;
  const Caret = open ? caretDownIcon : caretRightIcon;
  return (
    <div className="jp-MlopsSection-head">
      <h2>
        <button
          type="button"
          aria-expanded={open}
          aria-controls={props.body}
          onClick={props.onToggle}
        >
          <Caret.react tag="span" width="16px" height="16px" />
          {label}
        </button>
      </h2>
      {tool && open && (
        <button
          type="button"
          className="jp-MlopsIconButton"
          title={tool.label}
          aria-label={tool.label}
          aria-pressed={tool.pressed?.()}
          onClick={props.onTool}
        >
          <tool.icon.react tag="span" width="16px" height="16px" />
        </button>
      )}
    </div>
  );
}
