/** Small things that the views share. */
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import * as React from 'react';

/** A button that shows that what it does is under way, and does nothing a second time until that is over. */
export function BusyButton(
  props: Omit<React.ButtonHTMLAttributes<HTMLButtonElement>, 'onClick'> & {
    /** Never rejects: what is refused is said where it belongs. */
    act(): Promise<unknown>;
  }
): JSX.Element {
  const { act, ...rest } = props;
  const [busy, setBusy] = React.useState(false);
  return (
    <button
      type="button"
      {...rest}
      aria-busy={busy}
      // a button that is disabled loses the focus
      aria-disabled={busy || undefined}
      onClick={() => {
        if (!busy) {
          setBusy(true);
          void act().finally(() => setBusy(false));
        }
      }}
    />
  );
}

/** A button for a command, there only while the command can be executed. */
export function CommandButton(props: {
  command: string;
  args: ReadonlyPartialJSONObject;
  commands: CommandRegistry;
  label?: string;
  primary?: boolean;
}): JSX.Element | null {
  const { command, args, commands, label, primary } = props;
  if (!commands.hasCommand(command) || !commands.isEnabled(command, args)) {
    return null;
  }
  return (
    <BusyButton
      className={primary ? 'jp-MlopsTool jp-mod-primary' : 'jp-MlopsTool'}
      data-command={command}
      title={commands.label(command, args)}
      act={() => commands.execute(command, args)}
    >
      {label ?? commands.label(command, args)}
    </BusyButton>
  );
}
