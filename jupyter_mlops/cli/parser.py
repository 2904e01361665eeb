"""The grammar of ``jupyter mlops NOUN VERB …``: parsers, what they say of a mistake, and the types of options.

Imports argparse and no more.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from ..core.values import SECONDS, measured

WHICH_SWEEP = (
    "SWEEP is an id, as much of its beginning as is unambiguous, or “latest”; RUN is SWEEP-N, as tables show it."
)
WHICH_PIPELINE = (
    "PIPELINE is a name that one pipeline alone has, an id, as much of its beginning as is unambiguous, or “latest”."
)
WHICH_RUN = f"{WHICH_PIPELINE}\nRUN is PIPELINE-N, as tables show it, PIPELINE for its newest run, “latest”, or an id."


class Parser(argparse.ArgumentParser):
    """Says in one sentence what is wrong, instead of the whole usage."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **options)
        self.set_defaults(parser=self)
        self.nouns: dict[str, Noun] = {}

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        end = "" if message.endswith("?") else "."
        self.exit(2, f"{message[:1].upper()}{message[1:]}{end} “{self.prog} --help” shows what there is.\n")

    def refuse(self, words: Sequence[str]) -> NoReturn:
        """End because of words that are left over."""
        word = next((word for word in words if word.startswith("-")), words[0])
        if not word.startswith("-"):
            self.error(f"“{word}” is one word too many")
        name = word.partition("=")[0]
        known = [option for action in self._actions for option in action.option_strings]
        self.error(f"There is no option “{name}”{_did_you_mean(name, known)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices]
        if action.option_strings:
            self.error(f"{action.option_strings[-1]} takes {', '.join(known)}, but not “{value}”")
        self.error(f"There is no {str(action.metavar).lower()} “{value}”{_did_you_mean(value, known)}")


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    names = {name.lstrip("-"): name for name in known}
    close = get_close_matches(word.lstrip("-"), names, n=1, cutoff=0.7)
    return f". Did you mean “{names[close[0]]}”?" if close else ""


class Noun:
    """The actions on one kind of thing.

    Args:
        parser: of the noun; its help lists the actions.
    """

    def __init__(self, parser: Parser) -> None:
        self._added: Any = parser.add_subparsers(dest="action", metavar="ACTION", parser_class=Parser)

    @property
    def actions(self) -> list[str]:
        """Names of those that were added."""
        return list(self._added.choices)

    def add(
        self,
        name: str,
        run: Callable[..., int],
        text: str,
        *words: str,
        more: str = "",
        epilog: str = "",
        json: bool = True,
    ) -> Parser:
        """Add an action.

        Args:
            name: what a person types.
            run: called with session and arguments; returns the exit code.
            text: summary in one sentence.
            words: positional arguments, such as ``SWEEP``; their attributes are in lower case.
            more: further text of the description.
            epilog: end of the help.
            json: whether it takes ``--json``, and then prints one document.

        Returns:
            its parser, for further options.
        """
        parser: Parser = self._added.add_parser(
            name, help=text, description=f"{text}\n\n{more}" if more else text, epilog=epilog
        )
        parser.set_defaults(act=run)
        for word in words:
            parser.add_argument(word.lower().partition("|")[0], metavar=word)
        parser.add_argument(
            "--data-dir", metavar="FOLDER", help="Use the store in this folder (default: as configured for Jupyter)."
        )
        if json:
            parser.add_argument("--json", action="store_true", help="Print one JSON document and nothing else.")
        return parser


def add_values(parser: Parser, text: str) -> None:
    """Let an action take ``--param NAME=VALUE``."""
    parser.add_argument("-p", "--param", action="append", default=[], metavar="NAME=VALUE", help=text)


def add_cron(parser: Parser, text: str, *, required: bool = False) -> None:
    """Let an action take ``--cron`` and ``--zone``."""
    parser.add_argument("--cron", metavar="LINE", required=required, help=text)
    parser.add_argument(
        "--zone", help="Count the times of --cron in this zone, such as Europe/Vienna (default: this machine's)."
    )


def whole(text: str) -> int:
    """A whole number of 1 or more."""
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"“{text}” is no whole number of 1 or more")
    return value


def count(text: str) -> int:
    """A whole number of 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"“{text}” is no whole number of 0 or more")
    return int(text)


def duration(text: str) -> float:
    """Seconds above 0, as a number or in words."""
    value = measured(text, SECONDS)
    if value is None:
        try:
            value = float(text)
        except ValueError:
            value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"“{text}” is neither seconds above 0 nor a time such as 90s, 10m or 2h30m")
    return value
