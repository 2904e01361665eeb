"""Entry of ``jupyter mlops``: from words to an exit code.

====  ==================================================================================
0     done; for a sweep: every run succeeded; for a pipeline's run: it succeeded
1     asked for rightly, but a run failed or was stopped, or something outside did not answer
2     what was asked for makes no sense
130   Ctrl-C; the sweep goes on
====  ==================================================================================
"""

from __future__ import annotations

import argparse
import os
import sys
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

from .. import __version__
from ..core.errors import InvalidInputError, MlopsError, UnavailableError
from ..core.messages import Message
from .parser import Noun, Parser

FAILED, WRONG, INTERRUPTED = 1, 2, 130
_SETTINGS = "--MlopsSettings."
# module, and what the help of all says
_NOUNS = {
    "sweep": ("sweeps", "Run a notebook once for each combination of values, and look after such sweeps."),
    "pipeline": ("pipelines", "Check, promote, run and compare pipelines, and look after their runs."),
    "schedule": ("schedules", "Run pipelines at times, also at times that have passed."),
    "trigger": ("triggers", "Run pipelines on new files, after another pipeline, or on a call."),
    "service": ("service", "Run the background service, or ask how it is."),
}
_DESCRIPTION = """\
Run a notebook many times with different parameters, and pipelines of notebooks by schedule, without a browser.

What is started here shows in JupyterLab's MLOps panel, too, and the other way round. It belongs to a
service in the background, and goes on when this command, the terminal or JupyterLab ends.
"""
_EXAMPLES = """\
examples:
  jupyter mlops sweep train.ipynb --param max_depth=3:8 --param learning_rate=log:0.01:0.3:5 --metric auc
  jupyter mlops sweep list           all sweeps, newest first
  jupyter mlops sweep runs latest    the runs of the newest
  jupyter mlops sweep show 3fa8-2    run 2 of the sweep whose id begins with 3fa8: values, error, traceback
  jupyter mlops sweep stop latest
  jupyter mlops pipeline promote flights.pipeline.yaml --cron "0 6 * * *"
  jupyter mlops pipeline list        all pipelines: how their last runs went, when they fire next

“jupyter mlops COMMAND --help” lists the actions of each, “jupyter mlops COMMAND ACTION --help” their options.

settings:
  Jupyter's configuration files count as they do for the server (c.MlopsSettings.NAME = VALUE in
  jupyter_server_config.py); --MlopsSettings.NAME=VALUE overrides one, anywhere on the line.

exit codes:
  0 done, all runs succeeded · 1 a run failed or was stopped, or something outside did not answer
  2 what was asked for makes no sense · 130 Ctrl-C (the sweep goes on)
"""


def main(argv: list[str] | None = None) -> int:
    """Do what the words say.

    Args:
        argv: the words behind ``jupyter mlops``; None takes those of this process.

    Returns:
        the exit code.
    """
    try:
        words, overrides = _split_settings(sys.argv[1:] if argv is None else argv)
        arguments = parse(words)
        if "act" not in arguments:
            arguments.parser.print_help()
            return 0
        # only now: a mistyped word, or --help, needs neither configuration nor store
        from .session import Session, load_settings

        with Session(*load_settings(overrides, arguments.data_dir)) as session:
            code: int = arguments.act(session, arguments)
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
        # the reader has seen enough (“… | head”); Python must not complain as it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def parse(words: list[str]) -> argparse.Namespace:
    """The arguments that the words give; ``act`` does the action, where one is named.

    Raises:
        SystemExit: a word is mistyped, or help was asked for.
    """
    parser = make_parser(words[0] if words else "")
    arguments, unknown = parser.parse_known_args(_with_action(parser, words))
    if unknown:
        arguments.parser.refuse(unknown)
    return arguments


def make_parser(only: str | None = None) -> Parser:
    """The parser of all commands.

    Args:
        only: the one command whose actions are needed; None for all of them.
    """
    parser = Parser(prog="jupyter mlops", description=_DESCRIPTION, epilog=_EXAMPLES)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(metavar="COMMAND", parser_class=Parser)
    for name, (module, text) in _NOUNS.items():
        if only in (None, name):
            noun = import_module(f".{module}", __package__)
            parser.nouns[name] = Noun(commands.add_parser(name, help=text, description=text, epilog=noun.EPILOG))
            noun.add_actions(parser.nouns[name])
        else:
            commands.add_parser(name, help=text)
    return parser


def _with_action(parser: Parser, words: list[str]) -> list[str]:
    """The words, with the action that is meant in “sweep NOTEBOOK” and “service”."""
    noun, following = (*words[:2], "", "")[:2]
    helps = following in ("-h", "--help")
    if noun == "service" and not helps and (not following or following.startswith("-")):
        return [noun, "run", *words[1:]]
    if noun != "sweep" or not following or helps or following in parser.nouns[noun].actions:
        return words
    may_be_mistyped = following.isalpha() and not Path(following).exists()
    mistyped = may_be_mistyped and get_close_matches(following, parser.nouns[noun].actions)
    return words if mistyped else [noun, "start", *words[1:]]


def _split_settings(words: list[str]) -> tuple[list[str], list[str]]:
    """Words without ``--MlopsSettings.NAME=VALUE``, and those.

    Raises:
        InvalidInputError: one of those has no value.
    """
    overrides = [word for word in words if word.startswith(_SETTINGS)]
    for word in overrides:
        if "=" not in word:
            raise InvalidInputError(Message("Write {word}=VALUE, as one word.", word=word))
    return [word for word in words if not word.startswith(_SETTINGS)], overrides


if __name__ == "__main__":
    sys.exit(main())
