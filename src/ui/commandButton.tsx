/** Small things that the views share. */
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import * as React from 'react';

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
    <button
      type="button"
      className={primary ? 'jp-MlopsTool jp-mod-primary' : 'jp-MlopsTool'}
      data-command={command}
      title={commands.label(command, args)}
      onClick={() => void commands.execute(command, args)}
    >
      {label ?? commands.label(command, args)}
    </button>
  );
}
