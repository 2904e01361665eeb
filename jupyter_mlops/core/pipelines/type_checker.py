"""Compares a JSON value with a record's types and reports all errors with their paths, not only the first."""

from __future__ import annotations

import json
import types
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from ..messages import Message
from ..values import BYTES, SECONDS, closest, measured, show
from .references import Path

_KINDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}

# fields of any record: numbers that may also be written with units
MEASURED = {
    "deadline": SECONDS,
    "timeout": SECONDS,
    "cell_timeout": SECONDS,
    "retry_delay": SECONDS,
    "slow": SECONDS,
    "memory": BYTES,
}


class TypeChecker:
    """Compares a value with records.

    Args:
        written: source text of scalars by path, for values that are converted to strings.

    Attributes:
        problems: path, sentence, and whether the error is in the key at that path.
        blanks: paths of missing or wrong values, which were replaced by empty ones of the right type.
    """

    def __init__(self, written: dict[Path, str]) -> None:
        self.written = written
        self.problems: list[tuple[Path, Message, bool]] = []
        self.blanks: set[Path] = set()

    def check(self, value: Any, kind: Any, path: Path = ()) -> Any:
        """The value converted to a type; wrong parts become empty values, so that the rest can be checked."""
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return self._record(value, kind, path)
        origin, arguments = get_origin(kind), get_args(kind)
        if origin in (Union, types.UnionType):
            return self._union(value, arguments, path)
        if origin is dict and isinstance(value, dict):
            if arguments == (str, str):
                value = {name: self._text(item, (*path, name)) for name, item in value.items()}
            return {name: self.check(item, arguments[1], (*path, name)) for name, item in value.items()}
        if origin is list and isinstance(value, list):
            return [self.check(item, arguments[0], (*path, position)) for position, item in enumerate(value)]
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError:
            return self._refuse(
                path,
                Message(
                    "{name} must be {words}; {instead}",
                    name=_name(path),
                    words=_words(kind),
                    instead=_instead(value, kind),
                ),
                kind,
            )

    def _refuse(self, path: Path, sentence: Message, kind: Any) -> Any:
        self.problems.append((path, sentence, False))
        self.blanks.add(path)
        return _blank(kind)

    def _record(self, value: Any, kind: type[msgspec.Struct], path: Path) -> Any:
        fields = _hints(kind)
        if not isinstance(value, dict):
            known = ", ".join(list(fields)[:4])
            said = Message(
                "{name} must be a mapping with {known}{value}; {shown}.",
                name=_name(path),
                known=known,
                value=", …" if len(fields) > 4 else "",
                shown=_shown(value),
            )
            return self._refuse(path, said, kind)
        for name in value:
            if name not in fields:
                self.problems.append(((*path, name), _unknown(name, list(fields), path), True))
        for field in msgspec.structs.fields(kind):
            if field.required and field.name not in value:
                self.problems.append(
                    (path, Message("{record} lacks “{name}”.", record=_name(path), name=field.name), False)
                )
                self.blanks.add((*path, field.name))
        given = {name: self._field(item, fields[name], (*path, name)) for name, item in value.items() if name in fields}
        return _blank(kind) | given

    def _field(self, value: Any, kind: Any, path: Path) -> Any:
        units = MEASURED.get(str(path[-1]))
        if units is None or not isinstance(value, str):
            return self.check(value, kind, path)
        number = measured(value, units)
        if number is not None:
            return self.check(int(number) if units is BYTES else number, kind, path)
        counted = "seconds, or a time such as 2h30m" if units is SECONDS else "bytes, or a size such as 4GB"
        sentence = Message(
            "{path} must be a number of {counted}; {value} is not.", path=path[-1], counted=counted, value=show(value)
        )
        return self._refuse(path, sentence, int if units is BYTES else float)

    def _union(self, value: Any, arguments: tuple[Any, ...], path: Path) -> Any:
        if value is None and type(None) in arguments:
            return None
        kinds = [kind for kind in arguments if kind is not type(None)]
        records = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
        if len(kinds) > 1:
            kinds = records if isinstance(value, dict) else [kind for kind in kinds if kind not in records]
        return self.check(value, kinds[0], path)

    def _text(self, value: Any, path: Path) -> Any:
        """A scalar as written in the file, if a string is expected; a list of values to try in a space's grammar."""
        if isinstance(value, bool | int | float):
            return self.written.get(path) or json.dumps(value)
        if isinstance(value, list) and path[-2] == "space":
            return json.dumps(value, ensure_ascii=False)
        return value


def _blank(kind: Any) -> Any:
    """An empty value of a type; for a record a mapping with its required fields."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        hints = _hints(kind)
        return {field.name: _blank(hints[field.name]) for field in msgspec.structs.fields(kind) if field.required}
    return get_args(kind)[0] if get_origin(kind) is Literal else (get_origin(kind) or kind)()


@cache
def _hints(kind: type[msgspec.Struct]) -> dict[str, Any]:
    # annotations are strings, to be resolved in their module
    return get_type_hints(kind)


def _name(path: Path) -> str:
    if not path:
        return Message("A pipeline")
    if len(path) == 2 and path[0] == "steps":
        return Message("Step “{path}”", path=path[1])
    last = path[-1]
    return f"{last}" if isinstance(last, str) else Message("Entry {last} of {path}", last=last + 1, path=path[-2])


def _words(kind: Any) -> str:
    origin = get_origin(kind)
    if origin is Literal:
        return f"one of {', '.join(map(str, get_args(kind)))}"
    return {list: "a list", dict: "a mapping"}.get(origin or kind) or _KINDS.get(kind, "something else")


def _instead(value: Any, kind: Any) -> str:
    origin = get_origin(kind)
    if origin is Literal and isinstance(value, str):
        near = closest(value, get_args(kind))
        return (
            Message("{value} is not; did you mean “{near}”?", value=show(value), near=near)
            if near
            else Message("{value} is not.", value=show(value))
        )
    if origin is list and isinstance(value, str):
        return f"write [{value[:60]}]."
    if kind is str and isinstance(value, bool | int | float):
        return f"put {json.dumps(value)} into quotes."
    return f"{_shown(value)}."


def _shown(value: Any) -> str:
    match value:
        case None:
            return "there is nothing"
        case str():
            return Message("{value} is a text", value=show(value))
        case bool():
            return Message("“{value}” is not", value=json.dumps(value))
        case int() | float():
            return Message("“{value}” is a number", value=value)
        case list():
            return "this is a list"
        case _:
            return "this is a mapping"


def _unknown(name: str, known: list[str], path: Path) -> Message:
    where = _name(path)
    if near := closest(name, known):
        return Message("{where} has no “{name}”; did you mean “{near}”?", where=where, name=name[:60], near=near)
    return Message("{where} has no “{name}”; it has {known}.", where=where, name=name[:60], known=", ".join(known))
