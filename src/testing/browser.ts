/** What a browser has and jsdom lacks, so that JupyterLab's modules load. */
import { afterEach } from 'vitest';

class Observer {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
  takeRecords(): [] {
    return [];
  }
}

class DragEventShim extends MouseEvent {}

const missing: Record<string, unknown> = {
  DragEvent: DragEventShim,
  ResizeObserver: Observer,
  IntersectionObserver: Observer,
  matchMedia: (media: string) => ({
    media,
    matches: false,
    addEventListener() {},
    removeEventListener() {},
    addListener() {},
    removeListener() {}
  }),
  requestIdleCallback: (callback: () => void) => setTimeout(callback, 0),
  cancelIdleCallback: (id: number) => clearTimeout(id)
};

for (const [name, value] of Object.entries(missing)) {
  if ((globalThis as Record<string, unknown>)[name] === undefined) {
    Object.defineProperty(globalThis, name, { value, writable: true });
  }
}
HTMLCanvasElement.prototype.getContext = (() => null) as never;
Element.prototype.scrollIntoView = () => {};

afterEach(() => {
  document.body.replaceChildren();
});
