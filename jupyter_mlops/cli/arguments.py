"""What the words of all commands have in common. Imports argparse and no more."""

from __future__ import annotations

import argparse
import sys
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """Says in one sentence what is wrong, instead of the whole usage."""

    def error(self, message: str) -> NoReturn:
        """End with it."""
        print(f"{message[:1].upper()}{message[1:]}. “{self.prog} --help” shows what there is.", file=sys.stderr)
        raise SystemExit(2)


def add_command(
    commands: Any, name: str, text: str, *, description: str = "", epilog: str = "", json: bool = True
) -> Any:
    """The parser of one command.

    Args:
        commands: among which it is.
        text: what it does, in one line.
        json: whether it prints a document where that is asked for.
    """
    parser = commands.add_parser(
        name,
        help=text,
        description=description or f"{text[:1].upper()}{text[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--data-dir", metavar="FOLDER", help="folder of the store (default: as configured for Jupyter)")
    if json:
        parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    return parser


def add_group(commands: Any, name: str, text: str, *, description: str = "", epilog: str = "") -> Any:
    """The actions of a command that has several; ``action`` names the one that was given."""
    parser = commands.add_parser(
        name,
        help=text,
        description=description or f"{text[:1].upper()}{text[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    return parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=Parser)


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


def seconds(text: str) -> float:
    """A number of seconds above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"“{text}” is no number of seconds above 0")
    return value
