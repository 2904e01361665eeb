import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { nullTranslator } from '@jupyterlab/translation';
import { PromiseDelegate } from '@lumino/coreutils';
import { CommandRegistry } from '@lumino/commands';
import * as React from 'react';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { byRole, render } from '../testing/render';
import { CommandButton } from './commandButton';
import { starting } from './notifyErrors';
import { saveEdits } from './saveEdits';

const trans = nullTranslator.load('');

const messages = () =>
  Notification.manager.notifications.map(({ message }) => message);

afterEach(() => Notification.manager.dismiss());

describe('a command that starts something', () => {
  it('is announced while it takes long, and not once it is over', async () => {
    const work = new PromiseDelegate<void>();
    const done = starting('Starting…', () => work.promise);
    await vi.waitFor(() => expect(messages()).toEqual(['Starting…']));
    work.resolve();
    await done;
    expect(messages()).toEqual([]);
  });

  it('ends in a sentence where it is refused', async () => {
    await starting('Starting…', () => Promise.reject(new Error('No room.')));
    expect(messages()).toEqual(['No room.']);
  });

  it('is not announced while a dialog asks, and again when it goes on', async () => {
    const work = new PromiseDelegate<void>();
    const done = starting('Starting…', async () => {
      await vi.waitFor(() => expect(messages()).toEqual(['Starting…']));
      await showDialog({ title: 'Sure?', buttons: [Dialog.okButton()] });
      await work.promise;
    });
    const dialog = await byRole('dialog');
    expect(messages()).toEqual([]);
    (await byRole('button', 'Ok', dialog)).click();
    await vi.waitFor(() => expect(messages()).toEqual(['Starting…']));
    work.resolve();
    await done;
    expect(messages()).toEqual([]);
  });
});

it('a button for a command is busy while that is under way, and begins it once', async () => {
  const commands = new CommandRegistry();
  const work = new PromiseDelegate<void>();
  let times = 0;
  commands.addCommand('start', {
    label: 'Run Now',
    execute: () => {
      times += 1;
      return work.promise;
    }
  });
  render(() => <CommandButton command="start" args={{}} commands={commands} />);
  const button = await byRole('button', 'Run Now');
  expect(button.getAttribute('aria-busy')).toBe('false');
  button.click();
  await vi.waitFor(() => expect(button.getAttribute('aria-busy')).toBe('true'));
  button.click();
  expect(times).toBe(1);
  work.resolve();
  await vi.waitFor(() =>
    expect(button.getAttribute('aria-busy')).toBe('false')
  );
});

describe('what was edited', () => {
  const opened = (save: () => Promise<void>) =>
    ({
      path: 'flights/train.ipynb',
      model: { dirty: true, readOnly: false },
      save
    }) as unknown as DocumentRegistry.Context;

  it('is saved though it is dirty again at once, as when a kernel tells its language', async () => {
    await saveEdits(
      opened(() => Promise.resolve()),
      trans
    );
  });

  it('is missed with a sentence where the file cannot be written, or the person cancels', async () => {
    const failing = (error: Error) =>
      saveEdits(
        opened(() => Promise.reject(error)),
        trans
      );
    await expect(failing(new Error('The disk is full.'))).rejects.toThrow(
      'train.ipynb could not be saved, so nothing was started: The disk is full.'
    );
    await expect(
      failing(Object.assign(new Error('Cancel'), { name: 'ModalCancelError' }))
    ).rejects.toThrow('train.ipynb was not saved, so nothing was started.');
  });
});
