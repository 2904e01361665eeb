/** Going about a graph: from step to step by keys, over the sheet by pointer and wheel. */
import * as React from 'react';
import type { ILayout, IPlacedStep } from './geometry';

/** Smaller than this nothing can be read. */
const SMALLEST = 0.4;
const LARGEST = 2;
/** Pixels that a graph takes in the middle of a page. */
const TALLEST = 340;

/**
 * The step that a key leads to: along the lines, or within the column.
 *
 * Null where there is none that way, undefined for a key of another meaning.
 */
export function toward(
  layout: ILayout,
  from: string | null,
  key: string
): string | null | undefined {
  const { steps, edges } = layout;
  const present = steps.find(({ step }) => step.name === from);
  const ends = { Home: steps[0], End: steps.at(-1) }[key];
  if (ends) {
    return ends.step.name;
  }
  if (!/^Arrow(Left|Right|Up|Down)$/.test(key)) {
    return undefined;
  }
  if (!present) {
    return steps[0]?.step.name ?? null;
  }
  const [back, on, less] = layout.down
    ? ['ArrowUp', 'ArrowDown', 'ArrowLeft']
    : ['ArrowLeft', 'ArrowRight', 'ArrowUp'];
  if (key !== back && key !== on) {
    const order = present.order + (key === less ? -1 : 1);
    return (
      steps.find(step => step.layer === present.layer && step.order === order)
        ?.step.name ?? null
    );
  }
  const names = new Set(
    key === on
      ? edges.filter(edge => edge.from === from).map(({ to }) => to)
      : edges.filter(edge => edge.to === from).map(edge => edge.from)
  );
  return nearest(
    steps.filter(({ step }) => names.has(step.name)),
    present
  );
}

/** The nearest layer first, then the least aside. */
function nearest(
  steps: readonly IPlacedStep[],
  from: IPlacedStep
): string | null {
  const far = ({ layer, x, y }: IPlacedStep) =>
    Math.abs(layer - from.layer) * 1e6 + Math.hypot(x - from.x, y - from.y);
  return [...steps].sort((a, b) => far(a) - far(b))[0]?.step.name ?? null;
}

export interface IZoom {
  scale: number;
  /** Of the view; null where its parent says. */
  height: number | null;
  by(factor: number): void;
  fit(): void;
  drag: Pick<
    React.HTMLAttributes<HTMLElement>,
    'onPointerDown' | 'onPointerMove' | 'onPointerUp'
  >;
}

/** The size of the view, kept current; 0 until it is known. */
export function useRoom(view: React.RefObject<HTMLElement>): {
  width: number;
  height: number;
} {
  const [room, setRoom] = React.useState({ width: 0, height: 0 });
  React.useLayoutEffect(() => {
    const node = view.current!;
    const measure = () =>
      setRoom(known =>
        known.width === node.clientWidth && known.height === node.clientHeight
          ? known
          : { width: node.clientWidth, height: node.clientHeight }
      );
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(node);
    return () => observer.disconnect();
  }, [view]);
  return room;
}

/** As large as there is room for, until a person says otherwise. */
export function useZoom(
  view: React.RefObject<HTMLDivElement>,
  { width, height }: Pick<ILayout, 'width' | 'height'>,
  room: { width: number; height: number },
  fill: boolean
): IZoom {
  const [chosen, setChosen] = React.useState<number | null>(null);
  const across = room.width > 0 && width > 0 ? room.width / width : 1;
  const tall = fill ? room.height || height : TALLEST;
  const fitting = clamp(Math.min(1, across, height > 0 ? tall / height : 1));
  const scale = chosen ?? fitting;
  const by = (factor: number) =>
    setChosen(present => clamp((present ?? fitting) * factor));
  const latest = React.useRef(by);
  latest.current = by;
  React.useEffect(() => {
    const node = view.current!;
    // React's own listener may not keep the page from being zoomed
    const onWheel = (event: WheelEvent) => {
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        latest.current(event.deltaY < 0 ? 1.1 : 1 / 1.1);
      }
    };
    node.addEventListener('wheel', onWheel, { passive: false });
    return () => node.removeEventListener('wheel', onWheel);
  }, [view]);
  return {
    scale,
    height: fill ? null : Math.min(Math.ceil(height * scale) + 2, TALLEST),
    by,
    fit: () => setChosen(null),
    drag: usePan(view)
  };
}

/** The sheet goes along with the pointer that has hold of it beside the steps. */
function usePan(view: React.RefObject<HTMLDivElement>): IZoom['drag'] {
  const hold = React.useRef<{ x: number; y: number } | null>(null);
  return {
    onPointerDown: event => {
      const onStep = (event.target as Element).closest('[role=option]');
      if (event.button === 0 && !onStep) {
        hold.current = { x: event.clientX, y: event.clientY };
        view.current?.setPointerCapture(event.pointerId);
      }
    },
    onPointerMove: event => {
      if (hold.current && view.current) {
        view.current.scrollLeft -= event.clientX - hold.current.x;
        view.current.scrollTop -= event.clientY - hold.current.y;
        hold.current = { x: event.clientX, y: event.clientY };
      }
    },
    onPointerUp: () => {
      hold.current = null;
    }
  };
}

function clamp(scale: number): number {
  return Math.max(SMALLEST, Math.min(LARGEST, scale));
}
