"""Decodes the encodings in which programs show text: escapes of source code and JSON, URLs, HTML and terminals;
hexadecimal, base32, base64 and lists of numbers.

Texts are UTF-8 bytes here. Each encoding yields views: the decoded text, and a map of its positions to the source.
"""

from __future__ import annotations

import html
import re
import sys
import unicodedata
from binascii import a2b_base64, unhexlify
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import accumulate
from math import gcd

from .outputs import COLOURS

_CHUNK = 1 << 16
_ALL = bytes(range(256))
_HEX = b"0123456789abcdefABCDEF"
_BASE32 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
_FROM_BASE32 = bytes.maketrans(_BASE32, b"0123456789abcdefghijklmnopqrstuv")
_FROM_URLSAFE = bytes.maketrans(b"-_", b"+/")
_NUMBERS = re.compile(rb"\d+")
_BYTES = {str(number).encode(): number for number in range(256)}
_RUNS = re.compile(rb"[\w+/-]{16,}={0,2}")
_CONTROLS = {b"a": b"\a", b"b": b"\b", b"e": b"\x1b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


@dataclass(frozen=True)
class View:
    """A text decoded from one encoding.

    Attributes:
        data: the decoded text.
        source: maps a begin and end in ``data`` to those in the source.
    """

    data: bytes
    source: Callable[[int, int], tuple[int, int]]


def utf8(text: str) -> bytes:
    """Encode in UTF-8, allowing lone surrogates."""
    return text.encode("utf-8", "surrogatepass")


class Code:
    """An escape encoding; characters that are not escaped stand for themselves.

    Args:
        pattern: matches an escape.
        meaning: decodes a match.
    """

    def __init__(self, pattern: bytes, meaning: Callable[[bytes], bytes]) -> None:
        self._pattern = re.compile(pattern, re.DOTALL)
        self._meaning = lru_cache(maxsize=4096)(meaning)

    def view(self, data: bytes) -> View | None:
        """The decoded text, None if it contains no escapes."""
        meaning = self._meaning
        decoded = self._pattern.sub(lambda match: meaning(match[0]), data)
        return None if decoded == data else View(decoded, _Places(self, data).source)

    def parts(self, data: bytes) -> Iterator[tuple[int, int, int]]:
        """The escapes: begin and end in the text, and decoded length."""
        for match in self._pattern.finditer(data):
            yield match.start(), match.end(), len(self._meaning(match[0]))


class _Places:
    """Maps decoded positions to source positions; computed on first use."""

    def __init__(self, code: Code, data: bytes) -> None:
        self._code = code
        self._data = data

    @cached_property
    def _parts(self) -> tuple[list[int], list[tuple[int, int, int]]]:
        begins, parts, shift = [0], [(0, 0, 0)], 0
        for begin, end, length in self._code.parts(self._data):
            begins.append(begin - shift)
            parts.append((begin, end, length))
            shift += end - begin - length
        return begins, parts

    def _place(self, index: int) -> tuple[int, int]:
        """Begin and end in the source of one decoded byte."""
        begins, parts = self._parts
        at = bisect_right(begins, index) - 1
        begin, end, length = parts[at]
        beyond = index - begins[at] - length
        return (begin, end) if beyond < 0 else (end + beyond, end + beyond + 1)

    def source(self, begin: int, end: int) -> tuple[int, int]:
        return self._place(begin)[0], self._place(end - 1)[1]


def _escaped(token: bytes, wide: bool) -> bytes:
    """Decode a backslash escape of Python, JSON, C, JavaScript or a shell."""
    kind, digits = token[1:2], token[2:].strip(b"{}").decode(errors="replace")
    if kind == b"N" and digits:
        try:
            return unicodedata.lookup(digits).encode()
        except KeyError:
            return token
    if kind in b"01234567" or (kind in b"xuU" and digits):
        if len(token) == 12 and kind == b"u":
            return token.decode("unicode_escape").encode("utf-16", "surrogatepass").decode("utf-16").encode()
        number = int(token[1:], 8) if kind in b"01234567" else int(digits, 16)
        if number < 256 and not (wide or kind in b"uU"):
            return bytes([number])
        return utf8(chr(number)) if number <= sys.maxunicode else token
    return b"" if token[1:] in (b"\n", b"\r\n") else _CONTROLS.get(kind, token[1:])


def _percent(token: bytes) -> bytes:
    if token == b"+":
        return b" "
    return utf8(chr(int(token[2:], 16))) if token[1:2] == b"u" else bytes([int(token[1:], 16)])


def _reference(token: bytes) -> bytes:
    """Decode an HTML character reference."""
    if token[1:2] != b"#":
        return html.unescape(token.decode()).encode()
    digits = token[2:].rstrip(b";")
    number = int(digits[1:], 16) if digits[:1] in b"xX" else int(digits)
    return utf8(chr(number)) if number <= sys.maxunicode else token


_BACKSLASH = (
    rb"\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|x[\da-fA-F]{2}"
    rb"|[ux]\{[\da-fA-F]{1,6}\}|[0-3]?[0-7]{1,2}|N\{[A-Z\d -]{1,90}\}|\r\n|.)"
)
_PERCENT = rb"%(?:[\da-fA-F]{2}|u[\da-fA-F]{4})"
CODES = (
    Code(_BACKSLASH, lambda token: _escaped(token, wide=False)),  # \xe9 is a byte, as in bytes
    Code(_BACKSLASH, lambda token: _escaped(token, wide=True)),  # \xe9 is é, as in a str
    Code(_PERCENT, _percent),
    Code(rb"&(?:#\d{1,7}|#[xX][\da-fA-F]{1,6}|[a-zA-Z]\w{1,30});?", _reference),
    Code(COLOURS.pattern.encode(), lambda _: b""),
)
# URL-encoded forms write a space as +
FORM = Code(_PERCENT + rb"|\+", _percent)


def digit_views(data: bytes) -> Iterator[View]:
    """The text decoded as hexadecimal, base32, base64 and decimal numbers, ignoring separators.

    Base32 and base64 are decoded at each possible offset, because bytes share digits.
    """
    # keeps the length, so that positions stay valid
    yield from _views(data.replace(b"0x", b"  "), _HEX, 4, unhexlify)
    yield from _views(data, _BASE32, 5, _base32)
    yield from _views(data, _BASE64, 6, lambda digits: a2b_base64(digits.translate(_FROM_URLSAFE)))
    numbers = bytes([_BYTES.get(number, 0) for number in _NUMBERS.findall(data)])
    places = cache(lambda: [match.span() for match in _NUMBERS.finditer(data)])
    yield View(numbers, lambda begin, end: (places()[begin][0], places()[end - 1][1]))


def _base32(digits: bytes) -> bytes:
    return int(digits.translate(_FROM_BASE32), 32).to_bytes(len(digits) * 5 // 8)


def _views(data: bytes, alphabet: bytes, bits: int, decode: Callable[[bytes], bytes]) -> Iterator[View]:
    digits = _Digits(data, alphabet)
    group = 8 // gcd(8, bits)
    for skip in range(group):
        found = digits.found[skip:]
        if not found:
            return

        def source(begin: int, end: int, skip: int = skip) -> tuple[int, int]:
            return digits.place(skip + begin * 8 // bits), digits.place(skip + (end * 8 - 1) // bits) + 1

        yield View(decode(found + alphabet[:1] * (-len(found) % group))[: len(found) * bits // 8], source)


class _Digits:
    """The digits in a text, and their positions."""

    def __init__(self, data: bytes, alphabet: bytes) -> None:
        self._data = data
        self._others = _ALL.translate(None, alphabet)
        self._known: dict[int, list[int]] = {}
        self.found = data.translate(None, self._others)

    @cached_property
    def _counts(self) -> list[int]:
        """Number of digits before each chunk of the text."""
        lengths = (
            len(self._data[begin : begin + _CHUNK].translate(None, self._others))
            for begin in range(0, len(self._data), _CHUNK)
        )
        return [0, *accumulate(lengths)]

    def place(self, index: int) -> int:
        """Position of a digit."""
        chunk = bisect_right(self._counts, index) - 1
        if chunk not in self._known:
            begin = chunk * _CHUNK
            data = enumerate(self._data[begin : begin + _CHUNK], begin)
            self._known[chunk] = [at for at, byte in data if byte not in self._others]
        return self._known[chunk][index - self._counts[chunk]]


def texts_in_runs(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Words that are encoded in base64 or hexadecimal: begin, end and decoded text."""
    for match in _RUNS.finditer(data):
        digits = match[0].rstrip(b"=")
        for decode in (unhexlify, _whole_base64):
            try:
                decoded = decode(digits)
                decoded.decode()
            except ValueError:
                continue
            yield match.start(), match.end(), decoded


def _whole_base64(digits: bytes) -> bytes:
    return a2b_base64(digits.translate(_FROM_URLSAFE) + b"=" * (-len(digits) % 4))
