"""Secrets hidden in whatever a worker keeps, in the forms in which programs show them."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

SHORTEST = 4  # characters; what is shorter stands in any text
_SHORTEST_CODED = 8  # of what a secret is within a longer text in base64
_SHORTEST_LINE = 8  # of one that has several

Span = tuple[int, int, str]


class Hiding:
    """Puts ``[secret NAME]`` where a text holds a secret.

    Args:
        secrets: values by name; those that are too short are left as they are.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self.short = [name for name, value in secrets.items() if len(value) < SHORTEST]
        self._values = {value: f"[secret {name}]" for name, value in secrets.items() if len(value) >= SHORTEST}
        self._forms: dict[str, str] = {}
        self._wrapped: dict[str, re.Pattern[str]] = {}
        for value, label in self._values.items():
            coded = [form for form in _coded(value) if len(form) >= _SHORTEST_CODED]
            for form in (*_plain(value), *coded):
                self._forms.setdefault(form, label)
            # programs break long lines of it
            self._wrapped.update((form, re.compile("(?:\r?\n)?".join(map(re.escape, form)))) for form in coded)

    def __bool__(self) -> bool:
        return bool(self._forms)

    def text(self, text: str) -> str:
        """The text without secrets; without its colours, too, where these stand within one."""
        return self.texts([text])[0] if self._forms else text

    def texts(self, texts: list[str], going_on: bool = False) -> list[str]:
        """Pieces of one text without secrets, which may reach from piece to piece.

        Args:
            going_on: whether more may follow: then what may be a secret's beginning is hidden at the end.
        """
        whole = "".join(texts)
        spans = self._spans(whole)
        if "\x1b" in whole:
            from .outputs import without_colours

            plain = [without_colours(text) for text in texts]
            if len(self._spans("".join(plain))) > len(spans):
                return self.texts(plain, going_on)
        if going_on and (begun := self._begun(whole)):
            spans = _merged([*spans, begun])
        if not spans:
            return texts
        found, begin = [], 0
        for text in texts:
            found.append(_without(whole, begin, begin + len(text), spans))
            begin += len(text)
        return found

    def tree(self, value: Any) -> Any:
        """The same of all texts and numbers in something like JSON."""
        if not self._forms:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return type(value)({self.tree(key): self.tree(item) for key, item in value.items()})
        if isinstance(value, list):
            return [self.tree(item) for item in value]
        return self._values.get(str(value), value) if isinstance(value, int | float) else value

    def found_in(self, value: Any) -> bool:
        """Whether something like JSON holds a secret."""
        return bool(self.tree(value) != value)

    def _spans(self, text: str) -> list[Span]:
        spans = [span for form, label in self._forms.items() for span in _places(text, form, label)]
        if "\n" in text:
            flat = text.replace("\r", "").replace("\n", "")
            for form, pattern in self._wrapped.items():
                if form in flat:
                    label = self._forms[form]
                    spans += [(match.start(), match.end(), label) for match in pattern.finditer(text)]
        return _merged(spans)

    def _begun(self, text: str) -> Span | None:
        """Where the text ends with at least a third of a secret."""
        for value, label in self._values.items():
            for length in range(len(value) - 1, max(SHORTEST, len(value) // 3) - 1, -1):
                if text.endswith(value[:length]):
                    return len(text) - length, len(text), label
        return None


def _plain(value: str) -> Iterator[str]:
    """A secret as it is, as source, in JSON, in addresses, in HTML, line by line."""
    yield value
    for escaped in (repr(value)[1:-1], ascii(value)[1:-1], json.dumps(value)[1:-1]):
        yield escaped
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield json.dumps(value)[1:-1].replace("/", "\\/")
    data = value.encode("utf-8", "surrogateescape")
    for quoted in (quote(data, safe=""), quote(data), quote_plus(data)):
        yield quoted
        yield re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), quoted)
    for escaped in (html.escape(value), html.escape(value, quote=False)):
        yield escaped
        yield escaped.replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    yield data.hex()
    lines = value.splitlines()
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= _SHORTEST_LINE and not line.startswith("-----"))


def _coded(value: str) -> Iterator[str]:
    """A secret in base64, alone and at any place of a longer text."""
    data = value.encode("utf-8", "surrogateescape")
    for code in (b64encode, urlsafe_b64encode):
        yield code(data).decode()
        for before in range(3):
            # what its neighbours have a part in is left out
            yield code(bytes(before) + data).decode()[(0, 2, 3)[before] : 8 * (before + len(data)) // 6]


def _places(text: str, form: str, label: str) -> Iterator[Span]:
    begin = text.find(form)
    while begin >= 0:
        yield begin, begin + len(form), label
        begin = text.find(form, begin + len(form))


def _merged(spans: list[Span]) -> list[Span]:
    """Spans in order; of those that overlap, one, with the longest one's label."""
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
