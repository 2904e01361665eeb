import { nullTranslator } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';
import * as React from 'react';
import { expect, it } from 'vitest';
import { byRole, type } from '../testing/render';
import { Questions } from './formDialog';

/** One field, drawn anew with each character. */
class NameForm extends Questions<string> {
  name = 'night';

  protected readonly fields = ['name'];

  protected submit(): Promise<string> {
    return Promise.resolve(this.name);
  }

  protected body(): JSX.Element {
    return (
      <input
        aria-label="Name"
        value={this.name}
        onChange={event => {
          this.name = event.target.value;
          this.changed();
        }}
      />
    );
  }
}

it('draws what is typed within the event, so that the caret stays where it is', async () => {
  const form = new NameForm(nullTranslator.load(''));
  Widget.attach(form, document.body);
  const input = (await byRole('textbox', 'Name')) as HTMLInputElement;
  input.setSelectionRange(2, 2);
  type(input, 'niXght');
  // React puts the old value back at the event's end where the new one is not drawn by then
  expect(input.value).toBe('niXght');
  form.dispose();
});
