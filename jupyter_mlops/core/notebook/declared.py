"""Reads the parameters that a notebook declares."""

from __future__ import annotations

import ast
import io
import json
import math
import re
import tokenize
from dataclasses import dataclass, field
from typing import Any

from ..errors import InvalidInputError
from ..messages import Message
from ..parameters import Parameter, ParameterType
from ..values import type_of
from .assignments import read_lines
from .python_source import parse_python, tree_of

_SIMPLE: dict[str, ParameterType] = {
    "int": "int",
    "float": "float",
    "bool": "bool",
    "str": "str",
    "list": "list",
    "List": "list",
    "dict": "dict",
    "Dict": "dict",
    "None": "none",
    "Any": "any",
}
_SHELLS = ("bash", "sh", "zsh", "shell")


def read_parameters(source: str, language: str) -> list[Parameter]:
    """Parameters assigned in a cell, in the order of their first assignment.

    Args:
        source: of the cell tagged ``parameters``.
        language: of its kernel, lower case.

    Raises:
        InvalidInputError: the source is not valid Python; the message names the line.
    """
    if language == "python":
        return _read_python(source)
    return read_lines(source, shell=language in _SHELLS)


def assigned_names(source: str, language: str) -> set[str]:
    """All names that a cell assigns; empty if it cannot be parsed."""
    if language != "python":
        return {parameter.name for parameter in read_parameters(source, language)}
    nodes = ast.walk(tree_of(source) or ast.Module([], []))
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def is_own_tuple(parameter: Parameter, value: Any) -> bool:
    """Whether a value equals a default that contains tuples, which would be passed as lists."""
    try:
        written = ast.literal_eval(parameter.default_text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return repr(value) == repr(parameter.default) != repr(written)


def _read_python(cell: str) -> list[Parameter]:
    try:
        tree, source = parse_python(cell)
        comments = _comments(source)
    except (SyntaxError, tokenize.TokenError) as error:
        line, reason = getattr(error, "lineno", None) or 1, getattr(error, "msg", error)
        raise InvalidInputError(
            Message(
                "The parameters cell is not valid Python (line {line}: {reason}); mend it and save the notebook.",
                line=line,
                reason=reason,
            )
        ) from None
    found: dict[str, Parameter] = {}
    for node in tree.body:
        annotation = None
        if isinstance(node, ast.Assign):
            targets: list[ast.expr] = node.targets
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets, annotation = [node.target], node.annotation
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and node.value is not None:
                help_text = _help(node, comments)
                found[target.id] = _parameter(target.id, annotation, node.value, source, help_text)
    return list(found.values())


def _parameter(name: str, annotation: ast.expr | None, value: ast.expr, source: str, help_text: str) -> Parameter:
    text = ast.get_source_segment(source, value) or ""
    try:
        default = _plain(ast.literal_eval(value))
        known = True
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        default, known = None, False
    declared = _annotation(annotation) if annotation is not None else _Declared()
    kind = declared.type
    if kind is None:
        # a default of None says only that None is accepted
        kind = type_of(default) if known and default is not None else "float" if _is_not_finite(value) else "any"
    return Parameter(
        name=name,
        type=kind,
        default=default,
        default_text=text,
        optional=declared.optional or (known and default is None),
        choices=declared.choices or None,
        help=help_text,
    )


def _is_not_finite(value: ast.expr) -> bool:
    """Whether a default is infinity or NaN in one of the usual notations; neither is a JSON value."""
    match value:
        case ast.UnaryOp(operand=operand):
            return _is_not_finite(operand)
        case ast.Call(func=ast.Name(id="float"), args=[ast.Constant(value=str())]):
            return True
        case ast.Attribute(value=ast.Name(id="math" | "np" | "numpy"), attr="inf" | "nan"):
            return True
        case ast.Constant(value=float(number)):
            return not math.isfinite(number)
        case _:
            return False


@dataclass(frozen=True)
class _Declared:
    """An annotation's meaning; ``type`` is None for types that JSON does not have."""

    type: ParameterType | None = None
    optional: bool = False
    choices: list[Any] = field(default_factory=list)


def _annotation(node: ast.expr) -> _Declared:
    match node:
        case ast.Constant(value=None):
            return _Declared("none", optional=True)
        case ast.Constant(value=str(text)):
            try:
                return _annotation(ast.parse(text, mode="eval").body)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                return _Declared()
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return _Declared(_SIMPLE.get(name))
        case ast.BinOp(op=ast.BitOr()):
            return _union([node.left, node.right])
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inner):
            items = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            if name == "Literal":
                return _literal(items)
            if name in ("Optional", "Union"):
                return _union([*items, ast.Constant(value=None)] if name == "Optional" else items)
            if name in ("Final", "Annotated") and items:
                return _annotation(items[0])
            return _Declared(_SIMPLE.get(name))
        case _:
            return _Declared()


def _literal(items: list[ast.expr]) -> _Declared:
    try:
        values = [_plain(ast.literal_eval(item)) for item in items]
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return _Declared()
    choices = [value for value in values if value is not None]
    return _Declared("choice" if choices else "none", None in values, choices)


def _union(items: list[ast.expr]) -> _Declared:
    parts = [_annotation(item) for item in items]
    kinds = {part.type for part in parts if part.type != "none"}
    optional = any(part.optional for part in parts)
    if len(kinds) == 1:
        return _Declared(kinds.pop(), optional, [choice for part in parts for choice in part.choices])
    if not kinds:
        return _Declared("none", optional)
    return _Declared("float" if kinds == {"int", "float"} else "any", optional)


def _comments(source: str) -> dict[int, tuple[str, bool]]:
    """Comment by line number, and whether it stands alone on its line."""
    comments: dict[int, tuple[str, bool]] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            alone = not token.line[: token.start[1]].strip()
            comments[token.start[0]] = (token.string.lstrip("#").strip(), alone)
    return comments


def _help(node: ast.stmt, comments: dict[int, tuple[str, bool]]) -> str:
    """The comment at the end of an assignment's last line, else of its first, else the comment lines above it."""
    for line in (node.end_lineno or node.lineno, node.lineno):
        behind, alone = comments.get(line, ("", True))
        if behind and not alone:
            return re.sub(r"^type:\s*\S+\s*", "", behind)
    above: list[str] = []
    line = node.lineno - 1
    while line >= 1 and line in comments and comments[line][1]:
        above.insert(0, comments[line][0])
        line -= 1
    return " ".join(part for part in above if part)


def _plain(value: Any) -> Any:
    """A literal as a JSON value.

    Raises:
        ValueError: JSON cannot represent it.
    """
    if value is None or isinstance(value, bool | int | float | str):
        # refuse infinity and lone surrogates
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _plain(item) for key, item in value.items()}
    raise ValueError("not a JSON value")
