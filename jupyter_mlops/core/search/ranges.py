"""Ranges of numbers: ``3:8``, ``0.1:0.5:5``, ``log:0.01:1:5``, ``0:1:step=0.25``."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from ..errors import InvalidInputError
from ..messages import Message
from ..parameters import ParameterType
from ..values import show

MAX_VALUES = 1_000_000
_NUMBER = r"[-+]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][-+]?[0-9]++)?"
RANGE = re.compile(
    rf"(?P<log>log\s*:)?\s*(?P<a>{_NUMBER})\s*:\s*(?P<b>{_NUMBER})"
    rf"(?:\s*:\s*(?:step\s*=\s*(?P<step>{_NUMBER})|(?P<n>[0-9]++)))?$"
)
# Python refuses to parse much longer ones
_MAX_DIGITS = 300


def number(text: str) -> Any:
    """Parse a number, an int if written as one; returns other text unchanged.

    Raises:
        InvalidInputError: it is too large, infinite or NaN.
    """
    if re.fullmatch(r"[-+]?(inf|infinity|nan)", text, re.IGNORECASE):
        raise InvalidInputError(
            Message(
                "{text} is not finite, and values to try are; leave the field empty to keep the "
                "notebook's default, or write it in quotes where a text is meant.",
                text=show(text),
            )
        )
    if not re.fullmatch(_NUMBER, text):
        return text
    if _whole(text) and len(text) <= _MAX_DIGITS:
        return int(text)
    return _real(text)


def values_of_range(matched: re.Match[str], kind: ParameterType) -> list[Any]:
    """The values of a range, without duplicates.

    Args:
        matched: match of :data:`RANGE`.
        kind: of the parameter: ``int`` rounds, ``any`` takes the type from the notation.

    Raises:
        InvalidInputError: the range is invalid.
    """
    text = matched[0].strip()
    first, last = _real(matched["a"]), _real(matched["b"])
    whole_ends = _whole(matched["a"]) and _whole(matched["b"])
    whole = kind == "int" or (
        kind == "any"
        and whole_ends
        and not (matched["log"] or matched["n"])
        and (matched["step"] is None or _whole(matched["step"]))
    )
    if matched["log"]:
        points = _log_points(first, last, matched["n"])
    elif matched["step"]:
        points = _step_points(first, last, _real(matched["step"]))
    elif matched["n"]:
        points = _linear_points(first, last, _count(matched["n"]))
    elif whole and whole_ends:
        return _whole_range(int(matched["a"]), int(matched["b"]), text)
    else:
        raise InvalidInputError(
            Message("Say how many: {text}:5 takes five points, {text}:step=0.1 takes steps.", text=text)
        )
    return list(dict.fromkeys(map(round, points) if whole else points))


def _whole(text: str) -> bool:
    return not re.search(r"[.eE]", text)


def _real(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise InvalidInputError(Message("{text} is too large for a number.", text=show(text)))
    return value


def _count(text: str) -> int:
    if len(text) > 15 or int(text) > MAX_VALUES:
        shown = f"{int(text):,}" if len(text) <= 15 else "So many"
        raise InvalidInputError(
            Message("{shown} values are too many for one parameter; give a smaller count.", shown=shown)
        )
    if int(text) < 1:
        raise InvalidInputError(Message("The count must be 1 or more."))
    return int(text)


def _whole_range(first: int, last: int, text: str) -> list[Any]:
    size = abs(last - first) + 1
    if size > MAX_VALUES:
        raise InvalidInputError(
            Message("{text} has {size:,} values; narrow it, or give a count.", text=show(text), size=size)
        )
    step = 1 if last >= first else -1
    return list(range(first, last + step, step))


def _log_points(first: float, last: float, count: str | None) -> list[float]:
    if count is None:
        raise InvalidInputError(Message("Say how many points: log:from:to:count, such as log:0.01:1:5."))
    if first <= 0 or last <= 0:
        raise InvalidInputError(Message("Both ends of a logarithmic range must be above 0."))
    low, high = math.log(first), math.log(last)
    return _between(first, last, _count(count), lambda part: math.exp(low * (1 - part) + high * part))


def _linear_points(first: float, last: float, count: int) -> list[float]:
    # not first + i * step: last - first may overflow
    return _between(first, last, count, lambda part: first * (1 - part) + last * part)


def _between(first: float, last: float, count: int, at: Callable[[float], float]) -> list[float]:
    # the ends exactly as written
    return [first] if count == 1 else [first, *(_neat(at(i / (count - 1))) for i in range(1, count - 1)), last]


def _step_points(first: float, last: float, step: float) -> list[float]:
    if step == 0 or (last != first and (last < first) != (step < 0)):
        raise InvalidInputError(Message("The step must lead from the first value to the last."))
    steps = (last - first) / step
    if not steps < MAX_VALUES:
        raise InvalidInputError(Message("These are too many values for one parameter; take a larger step."))
    return [first, *(_neat(first + step * i) for i in range(1, math.floor(steps + 1e-9) + 1))]


def _neat(value: float) -> float:
    # 0.30000000000000004 is rounding noise
    return float(f"{value:.12g}")
