"""Reads output variables. Sent to the kernel: standard library only."""

from __future__ import annotations

import json
import math
import os
from typing import Any

INSTEAD = "write it to a file in MLOPS_RUN_DIR and declare it under files"


class UnfitError(Exception):
    """The value cannot be an output; the message is the end of a sentence."""


def plain(value: Any) -> Any:
    """Convert a value to JSON types.

    Raises:
        UnfitError: that is impossible.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {_key(key): plain(item) for key, item in value.items()}
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    elif getattr(value, "shape", None) == () and hasattr(value, "item"):
        value = value.item()  # numpy scalars and zero-dimensional arrays
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        if -(2**63) <= value < 2**63:
            return int(value)
        raise UnfitError("is a whole number beyond 64 bits, which cannot be handed on")
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        raise UnfitError(f"is {float(value)!r}, which cannot be handed on")
    kind = type(value).__name__
    article = "an" if kind[:1].lower() in tuple("aeiou") else "a"
    raise UnfitError(f"is {article} {kind}, which cannot be handed on; {INSTEAD}")


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UnfitError("holds bytes that are no text, which cannot be handed on; " + INSTEAD) from None
    return str.__str__(value)


def _key(key: Any) -> str:
    if isinstance(key, str):
        return _text(key)
    raise UnfitError(f"has the key {repr(key)[:40]}, and only texts can be keys of what is handed on")


def read_variables(namespace: dict[str, Any], names: list[str], most: int) -> str:
    """The named variables as JSON ``{"values": {...}, "problems": {...}}``; missing ones are in neither.

    Args:
        most: maximum bytes of JSON per variable.
    """
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name in names:
        if name not in namespace:
            continue
        try:
            value = plain(namespace[name])
            size = len(json.dumps(value))
            if size <= most:
                values[name] = value
            else:
                sizes = f"{size / 1e6:.3g} MB as JSON, more than the {most / 1e6:g} MB that can be handed on"
                problems[name] = f"takes {sizes}; {INSTEAD}"
        except UnfitError as error:
            problems[name] = str(error)
        except RecursionError:
            problems[name] = "holds itself, or is nested too deeply to be handed on"
        except Exception as error:  # a notebook's object may raise anything
            problems[name] = f"cannot be read: {type(error).__name__}: {str(error)[:200]}"
    return json.dumps({"values": values, "problems": problems})
