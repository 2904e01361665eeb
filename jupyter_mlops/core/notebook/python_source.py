"""Python in notebooks, which is mixed with IPython's commands."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

# %magic, !command, ?help; name = %magic, name = !command; name?
_IPYTHON_LINE = re.compile(r"^([ \t]*+)(?:[%!?]|[\w, ]++=[ \t]*+[%!]|[\w.*]++\?{1,2}+[ \t]*+$).*$")
# execute the rest of the cell as Python in the notebook's namespace
_PYTHON_CELL = re.compile(r"%%(?:time|timeit|capture|prun)\b")
_COMMAND = re.compile(r"^[ \t]*+(?:([\w, ]++)=[ \t]*+)?+(?:(!)|%(%?[\w.]*+))(.*)$")
# execute the rest of the line as Python in the notebook's namespace
_PYTHON_LINE = ("time", "timeit", "prun", "%%time", "%%timeit", "%%prun")
_OPTIONS = re.compile(r"^\s*(?:-\w+(?:\s+\d+)?(?:\s+|$))*")


@dataclass(frozen=True)
class Command:
    """A line that is an IPython command.

    Attributes:
        line: its number in the cell, from 1.
        name: ``matplotlib`` for a line magic, ``%%bash`` for a cell magic, ``!`` for a shell command, ``?`` for help.
        rest: the text after the name.
        assigned: names that its result is assigned to, as written.
    """

    line: int
    name: str
    rest: str = ""
    assigned: str = ""

    @property
    def python(self) -> str:
        """Python that it executes in the notebook's namespace; empty if none."""
        return _OPTIONS.sub("", self.rest) if self.name in _PYTHON_LINE else ""


def parse_python(source: str) -> tuple[ast.Module, str]:
    """Parse a cell.

    Returns:
        the tree, and the source with IPython's commands replaced; line numbers stay.

    Raises:
        SyntaxError: it cannot be parsed.
    """
    for text in (source, strip_magics(source)):
        try:
            return ast.parse(text), text
        except SyntaxError as error:
            wrong = error
        except (ValueError, RecursionError, MemoryError) as error:
            # NUL, a lone surrogate, brackets nested too deeply
            wrong = SyntaxError(f"it cannot be read: {error}")
            wrong.lineno = 1
    raise wrong


def tree_of(source: str) -> ast.Module | None:
    """The tree of a cell, None if it cannot be parsed."""
    try:
        return parse_python(source)[0]
    except SyntaxError:
        return None


def strip_magics(source: str) -> str:
    """Source with IPython's commands replaced by lines that do nothing, so that ``ast`` can parse it."""
    lines = source.split("\n")
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    if lines and lines[first].startswith("%%"):
        if not _PYTHON_CELL.match(lines[first]):
            return "\n".join("# " + line for line in lines)
        lines[first] = "pass"
    # `pass`, because a block must not be empty
    return "\n".join(_IPYTHON_LINE.sub(r"\1pass", line) for line in lines)


def commands(source: str) -> list[Command]:
    """A cell's IPython commands in order; a cell magic such as ``%%bash`` is one of them."""
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
