import { nullTranslator } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ServiceLogView } from './serviceLog';

describe('the service’s log', () => {
  let view: ServiceLogView;
  let asked: number;

  beforeEach(() => {
    asked = 0;
    view = new ServiceLogView(
      {
        serviceLog: () => {
          asked += 1;
          return Promise.resolve({ text: `line ${asked}` });
        }
      },
      nullTranslator.load('')
    );
  });

  afterEach(() => {
    view.dispose();
    vi.useRealTimers();
  });

  it('is read when it is opened in front', async () => {
    Widget.attach(view, document.body);
    await vi.waitFor(() => expect(view.node.textContent).toBe('line 1'));
  });

  it('is followed while it is in sight, and not behind other tabs', async () => {
    vi.useFakeTimers();
    Widget.attach(view, document.body);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(view.node.textContent).toBe('line 4');
    view.hide();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toBe(4);
    view.show();
    await vi.advanceTimersByTimeAsync(100);
    expect(view.node.textContent).toBe('line 5');
  });
});
