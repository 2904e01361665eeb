import { Panel, Widget } from '@lumino/widgets';
import { describe, expect, it } from 'vitest';
import { followVisibility } from './visibility';

describe('the visibility of a widget', () => {
  it('is told however it comes into sight and leaves it', () => {
    const seen: boolean[] = [];
    const panel = new Panel();
    const widget = new Widget();
    const follow = followVisibility(widget, visible => seen.push(visible));
    expect(seen).toEqual([false]);
    panel.hide();
    panel.addWidget(widget);
    Widget.attach(panel, document.body);
    expect(seen).toEqual([false]);
    panel.show();
    expect(seen).toEqual([false, true]);
    widget.hide();
    widget.show();
    Widget.detach(panel);
    expect(seen).toEqual([false, true, false, true, false]);
    Widget.attach(panel, document.body);
    expect(seen.at(-1)).toBe(true);
    follow.dispose();
    panel.dispose();
    expect(seen.at(-1)).toBe(true);
  });

  it('is told at once of one that is in sight', () => {
    const widget = new Widget();
    Widget.attach(widget, document.body);
    const seen: boolean[] = [];
    followVisibility(widget, visible => seen.push(visible));
    expect(seen).toEqual([true]);
    widget.dispose();
    expect(seen).toEqual([true, false]);
  });
});
