"""Parameter values: their types, what a parameter accepts, and detection of secrets."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from .errors import InvalidInputError
from .messages import Message
from .parameters import NotebookInfo, Parameter, ParameterType

MAX_DEPTH = 40
_LONGEST_DEFAULT = 1_000  # characters
_NAMES = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "list": "a list",
    "dict": "a mapping",
    "none": "None",
}
SECONDS: Mapping[str, float] = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}
BYTES: Mapping[str, float] = {
    "B": 1,
    **{f"{letter}B": 1_000**power for power, letter in enumerate("kMGT", 1)},
    **{f"{letter}iB": 1_024**power for power, letter in enumerate("KMGT", 1)},
}
_PART = re.compile(r"([0-9.]+) ?([a-zA-Z]+)")
# strings in source code with the name that they are assigned or passed to
_QUOTED = re.compile(r"""(?:["']?(\w+)["']?\s*[=:]\s*)?["']([^"']*)["']?""")
_TYPES: dict[type, ParameterType] = {
    type(None): "none",
    bool: "bool",
    int: "int",
    float: "float",
    str: "str",
    list: "list",
    dict: "dict",
}
# JSON strings, so that brackets inside them do not count; opening brackets; closing brackets
_BRACKETS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|([\[{])|([\]}])', re.DOTALL)
_SECRET = re.compile(
    r"(^|_)(password|passwd|passphrase|pwd|secret|secrets|credential|credentials|token|"
    r"api_?key|access_?key|secret_?key|private_?key|auth_?key|key)(_?\d+)?$"
)
_SECRET_VALUE = re.compile(
    r"(AKIA|ASIA)[0-9A-Z]{16}$|gh[pousr]_\w{30,}$|github_pat_\w{30,}$|glpat-[\w-]{20,}$|hf_\w{30,}$|sk-[\w-]{20,}$|"
    r"xox[abp]-[\w-]{10,}$|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+$|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)


def pattern_of(units: Mapping[str, float]) -> str:
    """Regular expression for numbers with these units, valid in JSON Schema too."""
    return rf"^([0-9]+(\.[0-9]+)? ?({'|'.join(units)}) ?)+$"


def measured(text: str, units: Mapping[str, float]) -> float | None:
    """Seconds or bytes of a text with units, such as ``2h30m`` or ``512MiB``; None if it is not of this form.

    Args:
        units: ``SECONDS`` or ``BYTES``.
    """
    if not re.fullmatch(pattern_of(units), text):
        return None
    return sum(float(number) * units[unit] for number, unit in _PART.findall(text))


def type_of(value: Any) -> ParameterType:
    """The parameter type of a JSON value."""
    return _TYPES.get(type(value), "any")


def check_value(parameter: Parameter, value: Any) -> Any:
    """A value converted to the parameter's type; whole numbers are accepted for ``float``, and 3.0 for ``int``.

    Raises:
        InvalidInputError: the value does not fit the type.
    """
    if value is None and (parameter.optional or parameter.type in ("none", "any")):
        return None
    # the notebook's own default may contradict its annotation
    if value is not None and value == parameter.default and type_of(value) == type_of(parameter.default):
        return value
    if parameter.type == "choice":
        return _choice(parameter, value)
    kind = type_of(value)
    match parameter.type, kind:
        case "any", _:
            return value
        case wanted, given if wanted == given:
            return value
        case "float", "int":
            try:
                return float(value)
            except OverflowError:
                raise InvalidInputError(
                    Message("{name} cannot be as large as {value}.", name=parameter.name, value=show(value))
                ) from None
        case "int", "float" if float(value).is_integer():
            return int(value)
        case wanted, _:
            raise InvalidInputError(
                Message(
                    "{name} must be {names}; {value} is not.",
                    name=parameter.name,
                    names=_NAMES[wanted],
                    value=show(value),
                )
            )


def check_values(
    info: NotebookInfo, shown: str, values: Mapping[str, Any], later: Iterable[str] = ()
) -> tuple[dict[str, Any], dict[str, Message]]:
    """Check values for a notebook's parameters.

    Args:
        shown: name of the notebook in messages.
        later: names whose values are not known yet.

    Returns:
        the converted values, and a message for each wrong name or value.
    """
    known = {parameter.name: parameter for parameter in info.parameters}
    checked: dict[str, Any] = {}
    problems: dict[str, Message] = {}
    for name in (*values, *later):
        if name not in known and not info.open_names:
            problems[name] = info.problem if info.problem and not known else unknown_name(shown, name, known)
        elif name in values:
            try:
                checked[name] = check_value(known.get(name, Parameter(name=name)), values[name])
            except InvalidInputError as error:
                problems[name] = error.message
    return checked, problems


def check_overrides(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Message]]:
    """As :func:`check_values`, for a pipeline's parameters, whose types are those of its defaults."""
    parameters = []
    for name, default in defaults.items():
        kind = "any" if default is None else type_of(default)
        # a default of 1 does not exclude 1.5; the notebook's declaration may
        if kind == "int" and type_of(given.get(name)) == "float":
            kind = "any"
        parameters.append(Parameter(name=name, type=kind, optional=True))
    return check_values(NotebookInfo(path="", hash="", kernel="", parameters=parameters), "This pipeline", given)


def all_wrong(problems: Iterable[Message]) -> InvalidInputError:
    """One error for all problems with parameters."""
    sentences = Message.together(problems)
    return InvalidInputError(sentences, {"parameters": sentences})


def unknown_name(shown: str, name: str, known: Iterable[str]) -> Message:
    """Message for a name that a notebook or pipeline does not declare as a parameter."""
    known = list(known)
    if near := closest(name, known):
        return Message("{shown} has no parameter “{name}”; did you mean “{near}”?", shown=shown, name=name, near=near)
    names = ", ".join(known) or "none"
    return Message("{shown} has no parameter “{name}”; it has {names}.", shown=shown, name=name, names=names)


def _choice(parameter: Parameter, value: Any) -> Any:
    for choice in parameter.choices or []:
        # True == 1, but users mean different values
        if choice == value and isinstance(choice, bool) == isinstance(value, bool):
            return choice
    known = ", ".join(str(choice) for choice in parameter.choices or [])
    raise InvalidInputError(
        Message("{name} must be one of {known}; {value} is not.", name=parameter.name, known=known, value=show(value))
    )


def show(value: Any) -> str:
    """A value in quotes for a message, truncated."""
    text = str(value)
    return f"“{text[:60]}{'…' if len(text) > 60 else ''}”"


def closest(name: str, known: Iterable[str]) -> str:
    """The most similar known name, empty if none is similar.

    Compares only the first 500: a text can hold thousands of misspelt names.
    """
    return next(iter(difflib.get_close_matches(name[:100], list(islice(known, 500)), 1)), "")


def nests_too_deep(text: bytes) -> bool:
    """Whether JSON nests deeper than ``MAX_DEPTH``."""
    depth = 0
    for found in _BRACKETS.finditer(text):
        if found.lastindex is not None:
            depth += 1 if found.lastindex == 1 else -1
            if depth > MAX_DEPTH:
                return True
    return False


def looks_secret(name: str, value: Any) -> bool:
    """Whether a parameter's name or value looks like a password, token or key."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    if isinstance(value, str | None) and _SECRET.search(words):
        return True
    return holds_secret(value)


def holds_secret(value: Any) -> bool:
    """Whether a value, or one nested in it, has the form of a well-known key or token."""
    match value:
        case str():
            return bool(_SECRET_VALUE.match(value.strip()))
        case list():
            return any(holds_secret(item) for item in value)
        case dict():
            return any(looks_secret(str(name), item) for name, item in value.items())
        case _:
            return False


def public_defaults(parameters: Iterable[Parameter]) -> dict[str, Any]:
    """Defaults by parameter that are literals and do not look like secrets."""
    return {
        parameter.name: parameter.default
        for parameter in parameters
        if parameter.is_literal and (parameter.default is None or not looks_secret(parameter.name, parameter.default))
    }


def recorded_defaults(parameters: Iterable[Parameter], given: Iterable[str]) -> dict[str, Any]:
    """The defaults that a sweep records for parameters without values of their own.

    Args:
        parameters: that the notebook declares.
        given: names of those with values.

    Returns:
        by name the literal, or the source of an expression or a very long literal. Defaults that look like secrets
            are left out.
    """
    left = [parameter for parameter in parameters if parameter.name not in set(given)]
    literals = public_defaults(left)
    found: dict[str, Any] = {}
    for parameter in left:
        name, text = parameter.name, parameter.default_text
        if name in literals and len(text) <= _LONGEST_DEFAULT:
            found[name] = literals[name]
        elif name in literals or not (parameter.is_literal or _source_looks_secret(name, text)):
            found[name] = text[:_LONGEST_DEFAULT]
    return found


def _source_looks_secret(name: str, source: str) -> bool:
    quoted = _QUOTED.findall(source)
    return looks_secret(name, source) or any(looks_secret(called or name, text) for called, text in quoted)
