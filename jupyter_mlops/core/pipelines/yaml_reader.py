"""YAML as JSON values, with the line and column of every key and value.

Scalars follow YAML 1.2 (``on`` and ``3:8`` are strings); keys and dates are always strings. Aliases and merge keys are
resolved, and their nodes count each time, so a small file cannot expand into a huge value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
)
from ruamel.yaml.reader import ReaderError

from ..messages import Message
from ..values import MAX_DEPTH, type_of
from .definition import Problem
from .references import Path

# enough for a thousand steps
MAX_LENGTH = 200_000
MAX_NODES = 50_000
MAX_MESSAGE = 400

Place = tuple[int, int]

_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass
class Document:
    """A parsed text.

    Attributes:
        value: as JSON; None if the text is empty or cannot be parsed.
        places: line and column, from 1, of each value; of its key if the value spans several lines.
        keys: line and column of each key.
        written: source text of the scalars that are not strings.
        problems: YAML errors.
        readable: whether it was parsed to its end.
    """

    value: Any = None
    places: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    written: dict[Path, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    readable: bool = True

    def place(self, path: Path) -> Place:
        """Line and column of a value, or of the closest ancestor that exists."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (1, 1))

    def complain(self, message: Message, place: Place) -> None:
        """Add a problem, cut to a readable length."""
        message = message if len(message) < MAX_MESSAGE else Message.verbatim(message[:MAX_MESSAGE] + "…")
        self.problems.append(Problem(message=message, line=place[0], column=place[1]))


class _StopReadingError(Exception):
    """The rest of the text is skipped."""


def read(text: str) -> Document:
    """Parse a text; problems are collected, not raised."""
    document = Document()
    if len(text) > MAX_LENGTH:
        document.complain(
            Message(
                "This text is too long: {count:,} characters, and {max_length:,} are allowed.",
                count=len(text),
                max_length=MAX_LENGTH,
            ),
            (0, 0),
        )
        document.readable = False
        return document
    try:
        _Reader(text, document).read()
    except ReaderError as error:
        position = error.position if isinstance(error.position, int) else 0
        before = text[:position].split("\n")
        document.complain(Message("This character cannot stand in a text file."), (len(before), len(before[-1]) + 1))
        document.readable = False
    except MarkedYAMLError as error:
        _complain_of(error, text, document)
        document.readable = False
    except YAMLError as error:
        document.complain(Message("This is no valid YAML: {said}.", said=str(error).splitlines()[0]), (1, 1))
        document.readable = False
    except _StopReadingError:
        document.readable = False
    return document


class _Reader:
    def __init__(self, text: str, document: Document) -> None:
        self.document = document
        self.events: Iterator[Event] = YAML(typ="safe", pure=True).parse(text.removeprefix("\ufeff"))
        # by anchor: its value and the value's number of nodes
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.nodes = 0

    def read(self) -> None:
        for event in self.events:
            if not isinstance(event, DocumentStartEvent):
                continue
            if self.nodes:
                self.document.complain(
                    Message("One file holds one pipeline; a second document begins here."), _place(event)
                )
                return
            self.document.value = self.node(next(self.events), (), None)

    def node(self, event: Any, path: Path, key: Place | None) -> Any:
        """The value that starts with an event."""
        place = _place(event)
        self.document.places[path] = place
        if isinstance(event, AliasEvent):
            value, size = self.anchors.get(event.anchor, (None, -1))
            if size < 0:
                self.complain(
                    Message("“*{anchor}” stands for nothing that ends before it.", anchor=event.anchor), place
                )
            self.count(max(size, 1), place)
            return value
        start = self.nodes
        self.count(1, place)
        if len(path) > MAX_DEPTH:
            self.complain(Message("This is nested too deeply."), place)
            raise _StopReadingError
        if isinstance(event, ScalarEvent):
            value = self.scalar(event, path)
            if not event.value and key:
                self.document.places[path] = key
        else:
            self.check_tag(event, ("map", "seq"))
            if key:
                self.document.places[path] = key
            value = self.mapping(path) if isinstance(event, MappingStartEvent) else self.sequence(path)
        if event.anchor:
            self.anchors[event.anchor] = (value, self.nodes - start)
        return value

    def mapping(self, path: Path) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for event in self.events:
            if isinstance(event, MappingEndEvent):
                break
            place = _place(event)
            if not isinstance(event, ScalarEvent):
                self.complain(Message("Only a text can be a key."), place)
                raise _StopReadingError
            self.count(1, place)
            self.check_tag(event, ("str", "merge"))
            name = self.whole(event)
            if name == "<<" and event.style is None:
                for other in self.merging(path, place):
                    merged.update({key: value for key, value in other.items() if key not in merged})
                continue
            if name in own:
                self.complain(
                    Message(
                        "“{name}” is there twice; the first is in line {line}.",
                        name=name[:60],
                        line=self.document.keys[*path, name][0],
                    ),
                    place,
                )
            self.document.keys[*path, name] = place
            own[name] = self.node(next(self.events), (*path, name), place)
        return {**merged, **own}

    def merging(self, path: Path, place: Place) -> list[dict[str, Any]]:
        value = self.node(next(self.events), (*path, "<<"), place)
        found = value if isinstance(value, list) else [value]
        if not all(isinstance(item, dict) for item in found):
            self.complain(Message("“<<” takes in mappings only."), place)
            return []
        return found

    def sequence(self, path: Path) -> list[Any]:
        items: list[Any] = []
        for event in self.events:
            if isinstance(event, SequenceEndEvent):
                break
            items.append(self.node(event, (*path, len(items)), None))
        return items

    def scalar(self, event: ScalarEvent, path: Path) -> Any:
        tag = self.check_tag(event, ("str", "int", "float", "bool", "null"))
        text = self.whole(event)
        if tag == "str" or (not tag and event.style is not None):
            return text
        value = _plain_value(text, tag)
        if tag and (type_of(value) if value is not None else "null") != tag:
            self.complain(
                Message("“{text}” is not of the kind that its tag !!{tag} says.", text=text, tag=tag), _place(event)
            )
        if isinstance(value, float) and not math.isfinite(value):
            self.complain(Message("“{text}” is no number that can be stored.", text=text[:40]), _place(event))
            value = 0
        if not isinstance(value, str):
            self.document.written[path] = text
        return value

    def whole(self, event: ScalarEvent) -> str:
        text: str = event.value
        if any("\ud800" <= character <= "\udfff" for character in text):
            self.complain(Message("This text has half a character (\\ud800 to \\udfff)."), _place(event))
            return text.encode(errors="replace").decode()
        return text

    def check_tag(self, event: Any, known: tuple[str, ...]) -> str:
        """The name of a node's explicit tag, empty without one."""
        tag = str(event.tag) if event.tag else ""
        if tag == "!":
            return "str"
        name = tag.removeprefix(_TAG)
        if tag and (name == tag or name not in known):
            self.complain(Message("A tag has no meaning here; leave it out."), _place(event))
            return ""
        return name

    def count(self, nodes: int, place: Place) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            self.complain(
                Message(
                    "This has too many parts, aliases counted each time: {max_nodes:,} are allowed.",
                    max_nodes=MAX_NODES,
                ),
                place,
            )
            raise _StopReadingError

    def complain(self, message: Message, place: Place) -> None:
        self.document.complain(message, place)


def _plain_value(text: str, tag: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text) and tag != "float":
        # int() rejects thousands of digits, and the store and the API hold 64 bits
        value = int(text, 0 if text[:2] in ("0o", "0x") else 10) if len(text) < 100 else 2**64
        return value if -(2**63) <= value < 2**64 else math.inf
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def plain(text: str) -> bool:
    """Whether YAML 1.2 reads an unquoted text as a string."""
    return not (text in _WORDS or _INT.fullmatch(text) or _FLOAT.fullmatch(text))


def _place(event: Event) -> Place:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _complain_of(error: MarkedYAMLError, text: str, document: Document) -> None:
    said, mark = str(error.problem or error.context or "something is missing"), error.problem_mark
    lines = text.split("\n")
    at = lines[mark.line][mark.column : mark.column + 1] if mark and mark.line < len(lines) else ""
    if "cannot start any token" in said:
        message = (
            Message("YAML is not indented with tabs; use spaces.")
            if at == "\t"
            else Message("Put a text with “{at}” into quotes.", at=at)
        )
    elif "mapping values are not allowed" in said:
        message = Message("A “:” cannot stand here; put the text into quotes, or begin a new line.")
    elif "could not find expected ':'" in said:
        message, mark = Message("A “:” is missing behind this."), error.context_mark
    elif "scanning a quoted scalar" in str(error.context) and "end of stream" in said:
        message, mark = Message("This quote is never closed."), error.context_mark
    elif "flow" in str(error.context) and "stream end" in said:
        message, mark = Message("This bracket is never closed."), error.context_mark
    elif "flow" in str(error.context):
        message = Message(
            "A comma or a closing bracket is missing here; in brackets, a text with {{ or }} needs quotes."
        )
    elif "expected <block end>" in said:
        message = Message("This line is not indented as those around it are.")
    else:
        message = Message("This is no valid YAML: {said}.", said=said)
    document.complain(message, (mark.line + 1, mark.column + 1) if mark else (1, 1))
