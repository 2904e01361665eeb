import { nullTranslator } from '@jupyterlab/translation';
import * as React from 'react';
import { describe, expect, it } from 'vitest';
import { graphOf } from '../../testing/graphs';
import { allByRole, byRole, render, text } from '../../testing/render';
import { Side, type ISideProps } from './graphPane';

function show(change: Partial<ISideProps> = {}) {
  const said: unknown[] = [];
  render(() => (
    <Side
      graph={graphOf({ collect: [], train: ['collect'] })}
      problems={[]}
      readable={true}
      known={true}
      error=""
      trans={nullTranslator.load('')}
      onStep={name => said.push(['step', name])}
      onOpen={({ notebook }) => said.push(['open', notebook])}
      onProblem={({ line }) => said.push(['problem', line])}
      onAdd={() => said.push(['add'])}
      {...change}
    />
  ));
  return said;
}

describe('Side', () => {
  it('leads from a step to its line and its notebook', async () => {
    const said = show();
    const train = await byRole('option', /^train/);
    train.click();
    train.dispatchEvent(new MouseEvent('dblclick', { bubbles: true }));
    await text('No problems');
    expect(said).toEqual([
      ['step', 'train'],
      ['open', 'train.ipynb']
    ]);
  });

  it('lists what is wrong, with the way there', async () => {
    const said = show({
      readable: false,
      problems: [
        { message: 'There is no step “prepare”.', line: 7, column: 12 },
        { message: 'It has no steps.', line: 0, column: 0 }
      ]
    });
    await text('2 problems');
    await text('As it was when the text could last be read.');
    (await byRole('button', '7:12')).click();
    expect(said).toEqual([['problem', 7]]);
    expect((await byRole('button', 'whole')).hasAttribute('disabled')).toBe(
      true
    );
  });

  it('teaches how to begin where there are no steps', async () => {
    const said = show({ graph: [] });
    (await byRole('button', 'Add Step…')).click();
    expect(said).toEqual([['add']]);
  });

  it('says why it could not be checked, and not that there are no problems', async () => {
    show({ known: false, error: 'The Jupyter server does not answer.' });
    await text('The Jupyter server does not answer.');
    expect(allByRole('status').map(node => node.textContent)).toEqual(['']);
  });
});
