"""From what a person types to the one thing that it names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from ..core.errors import InvalidInputError, NotFoundError
from ..core.messages import Message
from ..core.sweeps import Sweep

LATEST = "latest"


class Named(Protocol):
    """What has an id."""

    @property
    def id(self) -> str:
        """What names it."""


T = TypeVar("T", bound=Named)


def pick(known: Sequence[T], text: str, otherwise: str) -> T:
    """The one whose id is, or begins with, a text.

    Args:
        otherwise: what is said where there is none.

    Raises:
        NotFoundError: there is none.
        InvalidInputError: several begin so.
    """
    found = [item for item in known if text and item.id.startswith(text)]
    if not found:
        raise NotFoundError(Message.verbatim(otherwise))
    if len(found) > 1:
        some = ", ".join(item.id[: max(8, len(text) + 2)] for item in found[:4])
        raise InvalidInputError(
            Message(
                "“{text}” may be any of {some}{value}; give more of it.",
                text=text,
                some=some,
                value=", …" if len(found) > 4 else "",
            )
        )
    return found[0]


def pick_sweep(known: Sequence[Sweep], text: str) -> Sweep:
    """The sweep that an id, its unambiguous beginning, or ``latest`` names.

    Args:
        known: newest first.

    Raises:
        NotFoundError: there is none.
        InvalidInputError: several begin so.
    """
    if text == LATEST:
        if not known:
            raise NotFoundError(Message("There is no sweep yet."))
        return known[0]
    return pick(known, text, f"There is no sweep “{text}”; “jupyter mlops runs” lists those there are.")
