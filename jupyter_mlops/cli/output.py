"""The two ways out: results on standard output, all else on standard error."""

from __future__ import annotations

import argparse
import sys
from typing import Any, TextIO

import msgspec
from rich.console import Console

from ..core.runs import Run
from ..core.sweeps import Sweep
from .tables import short_id


def console(file: TextIO | None = None) -> Console:
    """A console; where its file is no terminal, lines are as long as they are, for grep and awk."""
    file = file or sys.stdout
    return Console(file=file, highlight=False, markup=False, width=None if file.isatty() else 10_000)


def note(line: str) -> None:
    """Something that is no result."""
    print(line, file=sys.stderr, flush=True)


def print_json(document: dict[str, Any]) -> None:
    """The one document that ``--json`` prints; records as they are everywhere else."""
    print(msgspec.json.format(msgspec.json.encode(document), indent=2).decode(), flush=True)


def say_state(what: Sweep | Run, arguments: argparse.Namespace) -> int:
    """How it stands now; the exit code."""
    if arguments.json:
        print_json({"sweep" if isinstance(what, Sweep) else "run": what})
        return 0
    print(f"{short_id(what)} is {what.state}.")
    return 0
