/** Dialogs that stay open until what was asked for is done, with what was refused beside its field. */
import { Dialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import { MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import * as React from 'react';
import { ApiError } from '../api/request';

/** A dialog's body: what is asked, and what is done with it. */
export abstract class Questions<T> extends ReactWidget {
  constructor(protected readonly trans: TranslationBundle) {
    super();
    this.addClass('jp-MlopsQuestions');
  }

  /** Fields beside which this body says what is wrong with them. */
  protected abstract readonly fields: readonly string[];

  /** Do what was asked for; rejects with a sentence for a person where it cannot be. */
  protected abstract submit(): Promise<T>;

  protected abstract body(): JSX.Element;

  /** What became of it, null until it is done. */
  result: T | null = null;

  /** Sentences by field, of what was refused last. */
  protected errors: Readonly<Record<string, string>> = {};

  /** Something was said: what was refused before may be right now. */
  protected changed(): void {
    this.errors = {};
    this._problem = '';
    this._changes++;
    // drawn before the event is over: an input that gets its new value later has lost the place of its caret
    MessageLoop.sendMessage(this, Widget.Msg.UpdateRequest);
  }

  /** Whether it was done; where not, the body says why. */
  async finish(): Promise<boolean> {
    const changes = this._changes;
    try {
      this.result = await this.submit();
      return true;
    } catch (error) {
      // of what was said otherwise meanwhile it says nothing
      if (changes === this._changes) {
        this.refuse(error);
      }
      return false;
    }
  }

  /** Say what is wrong, beside its field where it has one here. */
  protected refuse(error: unknown): void {
    const fields = error instanceof ApiError ? error.fields : {};
    // the field of a schedule within something else is called as that of a schedule
    const named = Object.entries(fields).map(
      ([name, sentence]) => [name.split('.').pop() ?? name, sentence] as const
    );
    this.errors = Object.fromEntries(named);
    const beside =
      named.length > 0 && named.every(([name]) => this.fields.includes(name));
    this._problem = beside
      ? ''
      : error instanceof Error
        ? error.message
        : String(error);
    if (!this.isDisposed) {
      this.update();
      // once it is drawn; it may be out of sight
      setTimeout(() =>
        this.node
          .querySelector('[role=alert]')
          ?.scrollIntoView({ block: 'nearest' })
      );
    }
  }

  protected override render(): JSX.Element {
    return (
      <>
        {this.body()}
        {this._problem && (
          <div className="jp-MlopsProblem" role="alert">
            {this._problem}
          </div>
        )}
      </>
    );
  }

  private _problem = '';
  private _changes = 0;
}

const CANCEL = 0;
const OK = 1;

class AskDialog extends Dialog<unknown> {
  constructor(
    private readonly _questions: Questions<unknown>,
    options: Partial<Dialog.IOptions<unknown>>
  ) {
    super(options);
    this.addClass('jp-MlopsDialog');
  }

  /** Cancelling closes it; agreeing does so once it is done. */
  override resolve(index = OK): void {
    if (index === CANCEL) {
      super.resolve(CANCEL);
    } else if (!this._busy) {
      this._busy = true;
      this.toggleClass('jp-mod-busy', true);
      void this._questions.finish().then(done => {
        this._busy = false;
        if (done) {
          super.resolve(OK);
        } else if (!this.isDisposed) {
          this.toggleClass('jp-mod-busy', false);
        }
      });
    }
  }

  private _busy = false;
}

/** Ask, and do it; null where a person thought better of it. */
export async function ask<T>(
  questions: Questions<T>,
  options: { title: string; okLabel: string; trans: TranslationBundle }
): Promise<T | null> {
  const dialog = new AskDialog(questions, {
    title: options.title,
    body: questions,
    buttons: [
      Dialog.cancelButton({ label: options.trans.__('Cancel') }),
      Dialog.okButton({ label: options.okLabel })
    ],
    defaultButton: OK,
    focusNodeSelector: 'input, select, textarea'
  });
  const { button } = await dialog.launch();
  return button.accept ? questions.result : null;
}
