"""Hides secrets in everything that a worker stores, even if they are encoded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

import msgspec

from ..core.messages import Message, to_wire
from .decoding import CODES, FORM, digit_views, texts_in_runs, utf8

SHORTEST = 4  # characters; shorter values occur in any text
_SHORTEST_LINE = 8  # of a secret that has several
_DEEPEST = 3  # nested encodings
_MOST_A_BYTE = 16  # characters per encoded byte, separators included; more are a coincidence
_CONTINUATION = bytes(range(0x80, 0xC0))  # bytes of UTF-8 that begin no character

Span = tuple[int, int, str]


class Hiding:
    """Replaces secrets in texts by ``[secret NAME]``.

    Args:
        secrets: values by name; values that are too short are not hidden.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self.short = [name for name, value in secrets.items() if len(value) < SHORTEST]
        self._values = {value: f"[secret {name}]" for name, value in secrets.items() if len(value) >= SHORTEST}
        self._bytes = {data: label for value, label in self._values.items() for data in _as_bytes(value)}
        self._codes = (*CODES, FORM) if any(" " in value for value in self._values) else CODES
        for value, label in self._values.items():
            for line in value.splitlines():
                if len(line) >= _SHORTEST_LINE and not line.startswith("-----"):
                    self._bytes.setdefault(utf8(line), label)

    def __bool__(self) -> bool:
        return bool(self._values)

    def text(self, text: str) -> str:
        """The text without secrets."""
        return self.texts([text])[0]

    def message(self, message: Message) -> Message:
        """The message without secrets; one that held some is shown as it is, in English."""
        if not self._values:
            return message
        built = msgspec.to_builtins(message, enc_hook=to_wire)
        return message if self.tree(built) == built else Message.verbatim(self.text(message))

    def texts(self, texts: list[str], going_on: bool = False) -> list[str]:
        """Hide secrets in the pieces of one text, even if they span several pieces.

        Args:
            going_on: whether more pieces may follow; then a possible beginning of a secret at the end is hidden, too.
        """
        whole = "".join(texts)
        if not self._values or len(whole) < SHORTEST:
            return texts
        data = utf8(whole)
        spans = _merged(self._search(data, going_on, _DEEPEST, set()))
        if not spans:
            return texts
        if len(data) > len(whole):
            spans = list(_in_characters(data, spans))
        found, begin = [], 0
        for text in texts:
            found.append(_without(whole, begin, begin + len(text), spans))
            begin += len(text)
        return found

    def tree(self, value: Any) -> Any:
        """Hide secrets in all texts and numbers of a JSON-like value."""
        if not self._values:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return type(value)({self.tree(key): self.tree(item) for key, item in value.items()})
        if isinstance(value, list):
            return [self.tree(item) for item in value]
        return self._values.get(str(value), value) if isinstance(value, int | float) else value

    def hides(self, number: float) -> bool:
        """Whether a number is a secret."""
        return self.found_in([number, int(number) if float(number).is_integer() else number])

    def found_in(self, value: Any) -> bool:
        """Whether a JSON-like value holds a secret."""
        return bool(self.tree(value) != value)

    def _search(self, data: bytes, going_on: bool, deepest: int, seen: set[bytes]) -> Iterator[Span]:
        """Find secrets in a text, plain or encoded.

        Args:
            deepest: how many nested encodings are still decoded.
            seen: decoded texts that were searched already.
        """
        seen.add(data)
        yield from self._places(data, going_on)
        for view in digit_views(data):
            for found in self._places(view.data, going_on):
                begin, end = view.source(*found[:2])
                if end - begin <= _MOST_A_BYTE * (found[1] - found[0]):
                    yield begin, end, found[2]
        if not deepest:
            return
        for begin, end, text in texts_in_runs(data):
            for *_, label in islice(self._search(text, False, deepest - 1, set()), 1):
                yield begin, end, label
        for code in self._codes:
            decoded = code.view(data)
            if decoded is not None and decoded.data not in seen:
                for begin, end, label in self._search(decoded.data, going_on, deepest - 1, seen):
                    yield *decoded.source(begin, end), label

    def _places(self, data: bytes, going_on: bool) -> Iterator[Span]:
        """Find plain secrets in a text, and at least a third of one at its end."""
        for value, label in self._bytes.items():
            begin = data.find(value)
            while begin >= 0:
                yield begin, begin + len(value), label
                begin = data.find(value, begin + len(value))
            if going_on:
                for length in range(len(value) - 1, max(SHORTEST, len(value) // 3) - 1, -1):
                    if data.endswith(value[:length]):
                        yield len(data) - length, len(data), label
                        break


def _as_bytes(value: str) -> Iterator[bytes]:
    """A text in the common encodings."""
    yield utf8(value)
    yield value.encode("utf-8", "surrogateescape")
    for encoding in ("latin-1", "utf-16-le", "utf-16-be"):
        with suppress(UnicodeEncodeError):
            yield value.encode(encoding)


def _in_characters(data: bytes, spans: list[Span]) -> Iterator[Span]:
    """Convert spans of bytes in UTF-8 to spans of characters."""
    counted = characters = 0
    for begin, end, label in spans:
        characters += len(data[counted:begin].translate(None, _CONTINUATION))
        first = characters - (data[begin] in _CONTINUATION)
        characters += len(data[begin:end].translate(None, _CONTINUATION))
        counted = end
        yield first, characters, label


def _merged(spans: Iterator[Span]) -> list[Span]:
    """Merge overlapping spans; the first one's label stays."""
    found: list[Span] = []
    for begin, end, label in sorted(spans, key=lambda span: (span[0], -span[1])):
        if found and begin < found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]), found[-1][2])
        else:
            found.append((begin, end, label))
    return found


def _without(whole: str, begin: int, end: int, spans: list[Span]) -> str:
    parts = []
    for start, stop, label in spans:
        if stop <= begin or start >= end:
            continue
        parts.append(whole[begin : max(begin, start)])
        if start >= begin:
            parts.append(label)
        begin = min(stop, end)
    parts.append(whole[begin:end])
    return "".join(parts)


NOTHING = Hiding({})
