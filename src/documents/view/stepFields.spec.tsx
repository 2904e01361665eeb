import { nullTranslator } from '@jupyterlab/translation';
import * as React from 'react';
import { describe, expect, it, vi } from 'vitest';
import { graphOf } from '../../testing/graphs';
import { byRole, pick, render, type } from '../../testing/render';
import { infoOf, parameterOf } from '../../testing/server';
import { emptyStep, nameFrom, StepFields, stepOf } from './stepFields';

describe('nameFrom', () => {
  it.each([
    ['flights/2 train model.ipynb', 'train_model'],
    ['prepare.ipynb', 'prepare'],
    ['données.ipynb', 'donn_es'],
    ['', '']
  ])('makes a name of %s', (path, name) => {
    expect(nameFrom(path)).toBe(name);
  });
});

describe('StepFields', () => {
  it('makes a step of what is said', async () => {
    let draft = emptyStep('flights/train.ipynb');
    const { draw } = render(() => (
      <StepFields
        draft={draft}
        info={infoOf('train.ipynb', { parameters: [parameterOf('depth')] })}
        graph={graphOf({ collect: [], prepare: ['collect'] })}
        errors={{ name: 'There is a step of this name.' }}
        trans={nullTranslator.load('')}
        onChange={change => {
          draft = { ...draft, ...change };
          draw();
        }}
        onPick={() => undefined}
      />
    ));
    type(await byRole('textbox', 'depth'), '8');
    (await byRole('checkbox', 'prepare')).click();
    type(await byRole('textbox', 'Outputs'), 'auc, model_path,');
    await vi.waitFor(() =>
      expect(stepOf(draft, 'train.ipynb')).toEqual({
        notebook: 'train.ipynb',
        parameters: { depth: 8 },
        after: ['prepare'],
        outputs: ['auc', 'model_path']
      })
    );
    expect((await byRole('textbox', 'Name')).getAttribute('aria-invalid')).toBe(
      'true'
    );

    pick(await byRole('combobox', 'Runs as'), 'sweep');
    type(await byRole('textbox', 'Best by'), 'auc');
    type(await byRole('textbox', 'depth'), '3:8');
    await vi.waitFor(() =>
      expect(stepOf(draft, 'train.ipynb')).toMatchObject({
        sweep: {
          space: { depth: '3:8' },
          objective: { metric: 'auc', direction: 'maximize' }
        },
        after: ['prepare']
      })
    );
    expect(stepOf(draft, 'train.ipynb')).not.toHaveProperty('parameters');
  });
});
