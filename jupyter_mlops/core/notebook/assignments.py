"""Reads ``name=literal`` lines, the parameters of notebooks in R, Julia and shells."""

from __future__ import annotations

import re
from typing import Any

from ..parameters import Parameter
from ..values import type_of

# name = literal; also name <- literal, name::Type = literal, export name=literal
_ASSIGNMENT = re.compile(r"(?:(?:export|readonly|const|let|var)\s+)?([A-Za-z_.][\w.]*)(?:::[\w{}]+)?\s*(?:<-|=)\s*(.+)")
_WORDS = {"TRUE": True, "FALSE": False, "true": True, "false": False, "NULL": None, "nothing": None}


def read_lines(source: str, *, shell: bool) -> list[Parameter]:
    """Parameters of a cell in a language other than Python, in the order of their first assignment.

    Args:
        source: of the cell.
        shell: whether a word without quotes is text, as in shells, rather than a variable.
    """
    found: dict[str, Parameter] = {}
    above: list[str] = []
    for line in source.splitlines():
        if line.lstrip().startswith("#"):
            above.append(line.lstrip(" \t#").strip())
            continue
        code, comment = _split_comment(line)
        matched = _ASSIGNMENT.fullmatch(code.strip().removesuffix(";").rstrip())
        if matched:
            name, text = matched.groups()
            value, known = _literal(text, shell)
            if known:
                found[name] = Parameter(
                    name=name,
                    type="any" if value is None else type_of(value),
                    default=value,
                    default_text=text,
                    optional=value is None,
                    help=comment or " ".join(part for part in above if part),
                )
        above = []
    return list(found.values())


def _split_comment(line: str) -> tuple[str, str]:
    quote = ""
    for position, character in enumerate(line):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character == "#" and (position == 0 or line[position - 1].isspace()):
            return line[:position], line[position + 1 :].strip()
    return line, ""


def _literal(text: str, shell: bool) -> tuple[Any, bool]:
    """Value of a literal, and whether it is one."""
    if text in _WORDS:
        return _WORDS[text], True
    # Python refuses to parse thousands of digits
    if re.fullmatch(r"-?[0-9]{1,300}L?", text):
        return int(text.rstrip("L")), True
    if re.fullmatch(r"-?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)([eE][-+]?[0-9]+)?", text):
        value = float(text)
        return value, value - value == 0
    quoted = re.fullmatch(r"\"([^\"\\]*)\"|'([^']*)'", text)
    if quoted:
        double, single = quoted.groups()
        if double is None:
            return single, True
        return double, not (shell and re.search(r"[$`]", double))
    return text, shell and bool(re.fullmatch(r"[\w./:@%+,-]+", text))
