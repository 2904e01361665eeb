/** Components in a page, found as a person finds them: by role and name. */
import { ReactWidget } from '@jupyterlab/ui-components';
import { Widget } from '@lumino/widgets';
import { vi } from 'vitest';

/** Put a component into the page and draw it again whenever `draw` is called. */
export function render(component: () => JSX.Element): {
  node: HTMLElement;
  draw(): void;
} {
  class Host extends ReactWidget {
    protected override render(): JSX.Element {
      return component();
    }
  }
  const host = new Host();
  Widget.attach(host, document.body);
  return { node: host.node, draw: () => host.update() };
}

const ROLES: Record<string, string> = {
  button: 'button,[role=button],jp-button',
  textbox: 'input:not([type]),input[type=text],textarea',
  spinbutton: 'input[type=number]',
  combobox: 'select',
  checkbox: 'input[type=checkbox]',
  dialog: 'dialog,[role=dialog]',
  list: 'ul',
  menuitem: '[role=menuitem]'
};

/** The elements of a role whose accessible name is this text or fits it. */
export function allByRole(
  role: string,
  name?: string | RegExp,
  within: ParentNode = document
): HTMLElement[] {
  return [
    ...within.querySelectorAll<HTMLElement>(ROLES[role] ?? `[role=${role}]`)
  ].filter(
    node =>
      name === undefined ||
      (typeof name === 'string'
        ? nameOf(node) === name
        : name.test(nameOf(node)))
  );
}

/** The one element of a role and name, as soon as it is there. */
export function byRole(
  role: string,
  name?: string | RegExp,
  within: ParentNode = document
): Promise<HTMLElement> {
  return vi.waitFor(() => {
    const found = allByRole(role, name, within);
    if (found.length !== 1) {
      throw new Error(
        `${found.length} of role ${role} and name ${String(name)} in ${document.body.innerHTML}`
      );
    }
    return found[0]!;
  });
}

/** The whole text, as soon as it is there. */
export function text(
  wanted: string | RegExp,
  within: HTMLElement = document.body
): Promise<void> {
  return vi.waitFor(() => {
    const all = within.textContent ?? '';
    if (
      typeof wanted === 'string' ? !all.includes(wanted) : !wanted.test(all)
    ) {
      throw new Error(`no ${String(wanted)} in: ${all}`);
    }
  });
}

/** Type into an input, as React hears it. */
export function type(input: HTMLElement, value: string): void {
  // of an input or a text area
  const prototype = Object.getPrototypeOf(input) as object;
  Object.getOwnPropertyDescriptor(prototype, 'value')?.set?.call(input, value);
  input.dispatchEvent(new Event('input', { bubbles: true }));
}

export function pick(select: HTMLElement, value: string): void {
  (select as HTMLSelectElement).value = value;
  select.dispatchEvent(new Event('change', { bubbles: true }));
}

export function press(node: HTMLElement, key: string, keyCode = 0): void {
  node.dispatchEvent(
    new KeyboardEvent('keydown', {
      key,
      keyCode,
      bubbles: true,
      cancelable: true
    })
  );
}

/** Where `aria-describedby` leads. */
export function descriptionOf(node: HTMLElement): string {
  return (node.getAttribute('aria-describedby') ?? '')
    .split(' ')
    .map(id => document.getElementById(id)?.textContent ?? '')
    .join(' ')
    .trim();
}

/** What assistive technology calls an element. */
export function nameOf(node: HTMLElement): string {
  const label =
    node.getAttribute('aria-label') ??
    (node.id
      ? document.querySelector(`label[for="${node.id}"]`)?.textContent
      : null) ??
    node.closest('label')?.textContent ??
    withoutHidden(node).textContent ??
    '';
  return label.trim().replace(/\s+/g, ' ');
}

function withoutHidden(node: HTMLElement): Node {
  const copy = node.cloneNode(true) as HTMLElement;
  for (const hidden of copy.querySelectorAll('[aria-hidden=true]')) {
    hidden.remove();
  }
  return copy;
}
