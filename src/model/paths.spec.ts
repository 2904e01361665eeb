import { ContentsManager, Drive } from '@jupyterlab/services';
import { describe, expect, it } from 'vitest';
import { FakeServer } from '../testing/server';
import { localPaths } from './paths';

describe('localPaths', () => {
  const serverSettings = new FakeServer().settings;
  const contents = new ContentsManager({
    defaultDrive: new Drive({ serverSettings })
  });
  contents.addDrive(new Drive({ serverSettings, name: 'RTC' }));
  contents.addDrive(new Drive({ serverSettings, name: 'GitHub' }));
  const localPath = localPaths(contents);

  it.each([
    ['flights/train.ipynb', 'flights/train.ipynb'],
    ['RTC:flights/train.ipynb', 'flights/train.ipynb'],
    ['GitHub:flights/train.ipynb', null],
    ['12:30.ipynb', '12:30.ipynb']
  ])('takes %s for %s', (path, expected) => {
    expect(localPath(path)).toBe(expected);
  });
});
