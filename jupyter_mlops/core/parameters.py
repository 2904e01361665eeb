"""Reading the parameters that a notebook declares, and checking values against them."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from typing import Any

from .errors import InvalidInputError
from .records import Parameter, ParameterType

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
# name = literal, as R, Julia and the shells write it
_ASSIGNMENT = re.compile(r"^\s*([A-Za-z_.][\w.]*)\s*(?:<-|=)\s*(.+?)\s*;?\s*$")
_SECRET = re.compile(
    r"(^|_)(password|passwd|passphrase|pwd|secret|secrets|credential|credentials|token|"
    r"api_?key|access_?key|secret_?key|private_?key|auth_?key|key)$"
)
_SECRET_VALUE = re.compile(r"^(AKIA[0-9A-Z]{16}|gh[pousr]_\w{30,}|sk-[\w-]{20,}|xox[abp]-[\w-]{10,})$")


def strip_magics(source: str) -> str:
    """Python source with IPython's own lines turned into comments, so that ``ast`` can read it."""
    if source.lstrip().startswith("%%"):
        return "\n".join("# " + line for line in source.splitlines())
    return "\n".join("#" if re.match(r"\s*[%!?]", line) else line for line in source.splitlines())


def read_parameters(source: str, language: str) -> list[Parameter]:
    """Parameters assigned in a cell, in the order of their first assignment.

    Args:
        source: of the cell tagged ``parameters``.
        language: of its kernel, lower case.

    Raises:
        InvalidInputError: Python source that does not parse; the sentence names the line.
    """
    if language == "python":
        return _read_python(source)
    return _read_lines(source)


def _read_python(source: str) -> list[Parameter]:
    source = strip_magics(source)
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise InvalidInputError(
            f"The parameters cell is not valid Python (line {error.lineno}: {error.msg}); mend it and save "
            "the notebook."
        ) from None
    comments = _comments(source)
    lines = source.splitlines()
    found: dict[str, Parameter] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name, annotation, value = node.targets[0].id, None, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            name, annotation, value = node.target.id, node.annotation, node.value
        else:
            continue
        found[name] = _parameter(name, annotation, value, source, _help(node, comments, lines))
    return list(found.values())


def _parameter(name: str, annotation: ast.expr | None, value: ast.expr, source: str, help_text: str) -> Parameter:
    text = ast.get_source_segment(source, value) or ""
    try:
        default = _plain(ast.literal_eval(value))
        known = True
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        default, known = None, False
    declared, optional, choices = _annotation(annotation)
    if declared == "any" and known:
        declared = type_of(default)
        optional = False
        if declared == "none":
            declared, optional = "any", True
    return Parameter(
        name=name,
        type=declared,
        default=default,
        default_text=text,
        optional=optional,
        choices=choices,
        help=help_text,
    )


def _annotation(node: ast.expr | None) -> tuple[ParameterType, bool, list[Any] | None]:
    """Type, whether None is accepted, and choices that an annotation gives."""
    match node:
        case ast.Constant(value=None):
            return "none", True, None
        case ast.Constant(value=str(text)):
            try:
                return _annotation(ast.parse(text, mode="eval").body)
            except SyntaxError:
                return "any", False, None
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return _SIMPLE.get(name, "any"), False, None
        case ast.BinOp(op=ast.BitOr()):
            return _union([node.left, node.right])
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inner):
            items = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            if name == "Literal":
                values = [item.value for item in items if isinstance(item, ast.Constant)]
                return "choice", None in values, [value for value in values if value is not None]
            if name == "Optional":
                return _annotation(inner)[0], True, _annotation(inner)[2]
            if name == "Union":
                return _union(items)
            if name in ("Final", "Annotated"):
                return _annotation(items[0])
            return _SIMPLE.get(name, "any"), False, None
        case _:
            return "any", False, None


def _union(items: list[ast.expr]) -> tuple[ParameterType, bool, list[Any] | None]:
    parts = [_annotation(item) for item in items]
    kinds = {kind for kind, _, _ in parts if kind != "none"}
    optional = any(part[1] or part[0] == "none" for part in parts)
    if len(kinds) == 1:
        return kinds.pop(), optional, next((part[2] for part in parts if part[2]), None)
    if kinds == {"int", "float"}:
        return "float", optional, None
    return "any", optional, None


def _comments(source: str) -> dict[int, tuple[str, bool]]:
    """Comment by line number, and whether it stands alone on its line."""
    comments: dict[int, tuple[str, bool]] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            alone = not token.line[: token.start[1]].strip()
            comments[token.start[0]] = (token.string.lstrip("#").strip(), alone)
    return comments


def _help(node: ast.stmt, comments: dict[int, tuple[str, bool]], lines: list[str]) -> str:
    behind, alone = comments.get(node.end_lineno or node.lineno, ("", True))
    if behind and not alone:
        return re.sub(r"^type:\s*\S+\s*", "", behind)
    above: list[str] = []
    line = node.lineno - 1
    while line >= 1 and line in comments and comments[line][1]:
        above.insert(0, comments[line][0])
        line -= 1
    # a comment set apart from what is above it heads one parameter; a heading of the cell does so too
    return " ".join(part for part in above if part)


def _read_lines(source: str) -> list[Parameter]:
    found: dict[str, Parameter] = {}
    above: list[str] = []
    for line in source.splitlines():
        if line.lstrip().startswith("#"):
            above.append(line.lstrip(" #").strip())
            continue
        code, _, comment = _split_comment(line)
        matched = _ASSIGNMENT.match(code)
        if matched:
            name, text = matched.groups()
            value, known = literal_of(text)
            if known:
                found[name] = Parameter(
                    name=name,
                    type=type_of(value),
                    default=value,
                    default_text=text,
                    help=comment.strip() or " ".join(above),
                )
        above = []
    return list(found.values())


def _split_comment(line: str) -> tuple[str, str, str]:
    quote = ""
    for position, character in enumerate(line):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character == "#" and (position == 0 or line[position - 1].isspace()):
            return line[:position], "#", line[position + 1 :]
    return line, "", ""


def literal_of(text: str) -> tuple[Any, bool]:
    """Value of a literal in R, Julia or a shell, and whether it is one."""
    words = {"TRUE": True, "FALSE": False, "true": True, "false": False, "NULL": None, "nothing": None}
    if text in words:
        return words[text], True
    if re.fullmatch(r"-?\d+L?", text):
        return int(text.rstrip("L")), True
    if re.fullmatch(r"-?(\d+\.\d*|\.\d+|\d+)([eE][-+]?\d+)?", text):
        return float(text), True
    quoted = re.fullmatch(r"\"([^\"]*)\"|'([^']*)'", text)
    if quoted:
        return quoted.group(1) if quoted.group(1) is not None else quoted.group(2), True
    if re.fullmatch(r"[\w./:@%+-]+", text):
        return text, True
    return None, False


def _plain(value: Any) -> Any:
    """A literal as JSON can hold it.

    Raises:
        ValueError: it holds what JSON has no word for.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _plain(item) for key, item in value.items()}
    raise ValueError("not a JSON value")


def type_of(value: Any) -> ParameterType:
    """The parameter type that a JSON value has."""
    match value:
        case None:
            return "none"
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float"
        case str():
            return "str"
        case list():
            return "list"
        case dict():
            return "dict"
        case _:
            return "any"


def check_value(parameter: Parameter, value: Any) -> Any:
    """A value as the parameter's type has it.

    Whole numbers are accepted for ``float``, and 3.0 for ``int``.

    Raises:
        InvalidInputError: it is not of the parameter's type; the sentence says what is.
    """
    if value is None and (parameter.optional or parameter.type in ("none", "any")):
        return None
    if parameter.type == "choice":
        if value in (parameter.choices or []) and not (isinstance(value, bool) and True not in parameter.choices):  # type: ignore[operator]
            return value
        known = ", ".join(str(choice) for choice in parameter.choices or [])
        raise InvalidInputError(f"{parameter.name} must be one of {known}; {_show(value)} is not.")
    kind = type_of(value)
    match parameter.type, kind:
        case "any", _:
            return value
        case wanted, given if wanted == given:
            return value
        case "float", "int":
            return float(value)
        case "int", "float" if float(value).is_integer():
            return int(value)
        case wanted, _:
            names = {
                "int": "a whole number",
                "float": "a number",
                "bool": "true or false",
                "str": "text",
                "list": "a list",
                "dict": "a mapping",
                "none": "None",
            }
            raise InvalidInputError(f"{parameter.name} must be {names[wanted]}; {_show(value)} is not.")


def _show(value: Any) -> str:
    text = str(value)
    return f"“{text[:60]}{'…' if len(text) > 60 else ''}”"


def looks_secret(name: str, value: Any) -> bool:
    """Whether a parameter seems to carry a password, token or key, by its name or its value."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    if _SECRET.search(words) and isinstance(value, str | None):
        return True
    return isinstance(value, str) and bool(_SECRET_VALUE.match(value))
