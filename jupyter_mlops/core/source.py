"""Python as notebooks write it: with IPython's own lines between."""

from __future__ import annotations

import ast
import re

# %magic, !command, ?help; name = %magic, name = !command; name?
_IPYTHON_LINE = re.compile(r"^([ \t]*+)(?:[%!?]|[\w, ]++=[ \t]*+[%!]|[\w.*]++\?{1,2}+[ \t]*+$).*$")
# these run the rest of their cell as Python, in the notebook's own namespace
_PYTHON_CELL = re.compile(r"%%(?:time|timeit|capture|prun)\b")


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
