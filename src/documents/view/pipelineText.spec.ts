import { DocumentModel } from '@jupyterlab/docregistry';
import { describe, expect, it } from 'vitest';
import { placeOf, replaceText, stepLine } from './pipelineText';

const TEXT = `name: delays
parameters:
  train: 1
steps:
  # the first
  collect:
    notebook: collect.ipynb
  "train":
    notebook: train.ipynb
    parameters:
      collect: 3
target: local
`;

describe('stepLine', () => {
  it.each([
    ['collect', 5],
    ['train', 7],
    ['target', null],
    ['gone', null],
    ['c.llect', null]
  ])('finds %s among the steps alone', (name, line) => {
    expect(stepLine(TEXT, name)).toBe(line);
  });

  it('finds nothing where there are no steps', () => {
    expect(stepLine('name: x\n', 'collect')).toBeNull();
  });
});

describe('placeOf', () => {
  it('counts from 0, and stays inside the text', () => {
    const at = (line: number, column: number) =>
      placeOf({ message: '', line, column }, 'ab\ncd');
    expect(at(2, 2)).toEqual({ line: 1, column: 1 });
    expect(at(2, 99)).toEqual({ line: 1, column: 2 });
    expect(at(99, 1)).toEqual({ line: 1, column: 0 });
    expect(at(1, 0)).toEqual({ line: 0, column: 0 });
    expect(at(0, 0)).toBeNull();
  });
});

describe('replaceText', () => {
  it('changes what is different alone, in one step that can be undone', () => {
    const model = new DocumentModel();
    const { sharedModel } = model;
    sharedModel.setSource(TEXT);
    sharedModel.clearUndoHistory();
    const changes: unknown[] = [];
    sharedModel.changed.connect((_, { sourceChange }) => {
      if (sourceChange) {
        changes.push(sourceChange);
      }
    });
    const next = TEXT.replace(
      'target: local',
      '  publish:\n    notebook: publish.ipynb\ntarget: local'
    );
    replaceText(sharedModel, next);
    expect(sharedModel.getSource()).toBe(next);
    expect(changes).toEqual([
      [
        { retain: TEXT.indexOf('target: local') },
        { insert: '  publish:\n    notebook: publish.ipynb\n' }
      ]
    ]);
    sharedModel.undo();
    expect(sharedModel.getSource()).toBe(TEXT);
    model.dispose();
  });

  it.each([
    ['', 'a'],
    ['a', ''],
    ['aa', 'aaa'],
    ['abab', 'ab'],
    ['same', 'same']
  ])('makes “%s” into “%s”', (before, after) => {
    const model = new DocumentModel();
    model.sharedModel.setSource(before);
    replaceText(model.sharedModel, after);
    expect(model.sharedModel.getSource()).toBe(after);
    model.dispose();
  });
});
