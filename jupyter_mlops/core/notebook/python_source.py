"""Python as notebooks write it: with IPython's own lines between."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

# %magic, !command, ?help; name = %magic, name = !command; name?
_IPYTHON_LINE = re.compile(r"^([ \t]*+)(?:[%!?]|[\w, ]++=[ \t]*+[%!]|[\w.*]++\?{1,2}+[ \t]*+$).*$")
# these run the rest of their cell as Python, in the notebook's own namespace
_PYTHON_CELL = re.compile(r"%%(?:time|timeit|capture|prun)\b")
_COMMAND = re.compile(r"^[ \t]*+(?:([\w, ]++)=[ \t]*+)?+(?:(!)|%(%?[\w.]*+))(.*)$")
# these run the rest of their line as Python, in the notebook's own namespace
_PYTHON_LINE = ("time", "timeit", "prun", "%%time", "%%timeit", "%%prun")
_OPTIONS = re.compile(r"^\s*(?:-\w+(?:\s+\d+)?(?:\s+|$))*")


@dataclass(frozen=True)
class Command:
    """One of the lines that are IPython's own.

    Attributes:
        line: its number in the cell, from 1.
        name: ``matplotlib`` of a line, ``%%bash`` of a whole cell, ``!`` of a program's call, ``?`` of a question.
        rest: what stands behind the name.
        assigned: the names that its result is given, as written.
    """

    line: int
    name: str
    rest: str = ""
    assigned: str = ""

    @property
    def python(self) -> str:
        """Python that it runs in the notebook's own namespace, beside the cell's own."""
        return _OPTIONS.sub("", self.rest) if self.name in _PYTHON_LINE else ""


def parse_python(source: str) -> tuple[ast.Module, str]:
    """The tree of a cell's source, and the source it was read from, line for line.

    Raises:
        SyntaxError: it is not Python, whatever the reason.
    """
    for text in (source, strip_magics(source)):
        try:
            return ast.parse(text), text
        except SyntaxError as error:
            wrong = error
        except (ValueError, RecursionError, MemoryError) as error:
            # a NUL, half a character, brackets without end
            wrong = SyntaxError(f"it cannot be read: {error}")
            wrong.lineno = 1
    raise wrong


def strip_magics(source: str) -> str:
    """Source with IPython's own lines replaced by ones that do nothing, so that ``ast`` can read it."""
    lines = source.split("\n")
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    if lines and lines[first].startswith("%%"):
        if not _PYTHON_CELL.match(lines[first]):
            return "\n".join("# " + line for line in lines)
        lines[first] = "pass"
    # `pass` rather than a comment: it may be all that a block holds
    return "\n".join(_IPYTHON_LINE.sub(r"\1pass", line) for line in lines)


def commands(source: str) -> list[Command]:
    """The lines of a cell that are IPython's own, in their order; a cell such as ``%%bash`` is one of them."""
    try:
        ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return list(_commands(source.split("\n")))
    return []


def _commands(lines: list[str]) -> Iterator[Command]:
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    for number, line in enumerate(lines):
        if not _IPYTHON_LINE.match(line):
            continue
        match = _COMMAND.match(line)
        if match is None:
            yield Command(number + 1, "?", line.strip())
            continue
        assigned, program, name, rest = match.groups()
        whole = number == first and line.startswith("%%")
        yield Command(number + 1, program or ("%" + name if whole else name), rest.strip(), (assigned or "").strip())
        if whole and not _PYTHON_CELL.match(line):
            return
