"""Entry of ``jupyter mlops``: from words to an exit code.

====  ==================================================================================
0     done; for a sweep: every run succeeded; for a pipeline's run: it succeeded
1     asked for rightly, but a run failed or was stopped, or something outside did not answer
2     what was asked for makes no sense as it stands
130   Ctrl-C; the sweep goes on
====  ==================================================================================
"""

from __future__ import annotations

import os
import sys

from ..core.errors import MlopsError, UnavailableError
from .parser import make_parser, split_settings
from .pipeline_parser import with_action

FAILED, WRONG, INTERRUPTED = 1, 2, 130


def main(argv: list[str] | None = None) -> int:
    """Do what the words say.

    Args:
        argv: the words behind ``jupyter mlops``; None takes those of this process.

    Returns:
        the exit code.
    """
    try:
        words, overrides = split_settings(sys.argv[1:] if argv is None else argv)
        arguments = make_parser().parse_args(with_action(words))
        # only now: a mistyped word, or --help, needs neither configuration nor store
        from .commands import run_command

        code = run_command(arguments, overrides)
        sys.stdout.flush()
        return code
    except UnavailableError as error:
        print(error.message, file=sys.stderr)
        return FAILED
    except MlopsError as error:
        print(error.message, file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # whoever read our output has seen enough (“… | head”); Python must not complain as it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
