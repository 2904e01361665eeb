"""References in a pipeline: ``${NAME}`` for a parameter, ``${STEP.OUTPUT}`` for an output of an earlier step.

::

    ${month}              alone: the parameter's value with its type
    data/${month}.csv     within text: its text, or as JSON if it is not a string (true, null, [1, 2])
    ${prepare.rows}       an output of the step “prepare”
    ${train.val/auc}      metrics may have any name that MLflow allows
    $${x}                 the text “${x}”
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ..errors import InvalidInputError
from ..messages import Message
from ..values import closest

# a dash before a dot and an output is not a minus; see .conditions
STEP_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}")
# of a parameter or an output
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# set by the trigger of a run
SCHEDULED_TIME = "scheduled_time"

_PATTERN = re.compile(r"\$\$\{|\$\{(?:([^{}]*)\})?")
_INSIDE = re.compile(r"(?:([A-Za-z_][A-Za-z0-9_-]*)\.)?([A-Za-z0-9_][A-Za-z0-9_./ -]*)")

Outputs = Mapping[str, Mapping[str, Any]]
Path = tuple[str | int, ...]


class NotFinite(NamedTuple):
    """A metric among a step's outputs that is NaN, Infinity or -Infinity."""

    value: str


class Reference(NamedTuple):
    """A reference to an output, or to a parameter of the pipeline if ``step`` is empty."""

    step: str
    name: str

    def __str__(self) -> str:
        return f"${{{self.bare}}}"

    @property
    def bare(self) -> str:
        """Its notation in conditions."""
        return f"{self.step}.{self.name}" if self.step else self.name


def read_reference(inside: str | None) -> Reference:
    """Parse a reference.

    Args:
        inside: the text between ``${`` and ``}``, None if the brace is not closed.

    Raises:
        InvalidInputError: it is malformed.
    """
    found = _INSIDE.fullmatch(inside.strip()) if inside is not None else None
    if found is None or (not found[1] and not NAME.fullmatch(found[2])):
        written = "${" if inside is None else f"${{{inside}}}"
        raise InvalidInputError(
            Message(
                "“{written}” is no reference: write ${{NAME}} or ${{STEP.OUTPUT}}, and $${{ where "
                "“${{” itself is meant.",
                written=written,
            )
        )
    return Reference(found[1] or "", found[2])


def find_references(text: str) -> list[Reference]:
    """The references in a text, in order, without duplicates.

    Raises:
        InvalidInputError: one of them is malformed.
    """
    found = (read_reference(match[1]) for match in _PATTERN.finditer(text) if match[0] != "$${")
    return list(dict.fromkeys(found))


def split(text: str) -> list[str | Reference]:
    """A text split into plain text and references, in order.

    Raises:
        InvalidInputError: a reference is malformed.
    """
    parts: list[str | Reference] = []
    end = 0
    for match in _PATTERN.finditer(text):
        parts += [text[end : match.start()], "${" if match[0] == "$${" else read_reference(match[1])]
        end = match.end()
    return [part for part in (*parts, text[end:]) if part]


def texts(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """All strings in a JSON value with their paths, except for keys."""
    match value:
        case str():
            yield path, value
        case list():
            for position, item in enumerate(value):
                yield from texts(item, (*path, position))
        case dict():
            for key, item in value.items():
                yield from texts(item, (*path, str(key)))


def resolve(value: Any, parameters: Mapping[str, Any], outputs: Outputs, step: str = "") -> Any:
    """A JSON value with all references replaced.

    A text that consists of one reference becomes the referenced value with its type.

    Args:
        value: whose strings may contain references.
        parameters: of the pipeline run, including ``scheduled_time``.
        outputs: by step and name.
        step: that the value belongs to, for error messages.

    Raises:
        InvalidInputError: a referenced value is missing.
    """
    match value:
        case str():
            alone = _PATTERN.fullmatch(value)
            if alone and value != "$${":
                return look_up(read_reference(alone[1]), parameters, outputs, step)
            return resolve_text(value, parameters, outputs, step)
        case list():
            return [resolve(item, parameters, outputs, step) for item in value]
        case dict():
            return {key: resolve(item, parameters, outputs, step) for key, item in value.items()}
        case _:
            return value


def resolve_text(text: str, parameters: Mapping[str, Any], outputs: Outputs, step: str = "") -> str:
    """As :func:`resolve`, but always a string: for environment variables and fields of a space."""

    def replacement(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        value = look_up(read_reference(match[1]), parameters, outputs, step)
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    return _PATTERN.sub(replacement, text)


def look_up(reference: Reference, parameters: Mapping[str, Any], outputs: Outputs, step: str = "") -> Any:
    """The value of a reference; arguments as for :func:`resolve`.

    Raises:
        InvalidInputError: it is missing.
    """
    who = f"Step “{step}” refers to “{reference}”, but" if step else f"“{reference}” is referred to, but"
    source, name = reference
    if not source:
        if name in parameters:
            return parameters[name]
        raise InvalidInputError(
            Message(
                "{who} the pipeline has no parameter “{name}”{instead}",
                who=who,
                name=name,
                instead=suggestion(name, parameters),
            )
        )
    if source not in outputs:
        raise InvalidInputError(Message("{who} “{source}” has left nothing: it did not run.", who=who, source=source))
    if name not in outputs[source]:
        left = ", ".join(outputs[source]) or "nothing"
        raise InvalidInputError(
            Message("{who} “{source}” left no “{name}”; it left {left}.", who=who, source=source, name=name, left=left)
        )
    found = outputs[source][name]
    if isinstance(found, NotFinite):
        raise InvalidInputError(
            Message(
                "{who} “{name}” of “{source}” is {value}, which is no finite number.",
                who=who,
                name=name,
                source=source,
                value=found.value,
            )
        )
    return found


def suggestion(name: str, known: Iterable[str]) -> Message:
    """The end of a sentence that suggests the known name that was probably meant."""
    known = list(known)
    if near := closest(name, known):
        return Message("; did you mean “{near}”?", near=near)
    return Message("; known are {known}.", known=", ".join(known)) if 0 < len(known) <= 20 else Message(".")
