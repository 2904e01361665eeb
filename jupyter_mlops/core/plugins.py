"""Parts that other packages add through entry points."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from .errors import UnavailableError
from .messages import Message

_OWN = f"{__name__.partition('.')[0]}."


class Plugins:
    """The installed parts of one entry point group by name; they are looked up when they are first asked for."""

    def __init__(self, group: str) -> None:
        self.group = group

    def __iter__(self) -> Iterator[str]:
        """Names, this package's own first."""
        return iter(_installed(self.group, tuple(sys.path)))

    def load(self, name: str) -> Any:
        """What a name stands for.

        Raises:
            KeyError: no package has that name.
            UnavailableError: it cannot be imported.
        """
        entry = _installed(self.group, tuple(sys.path))[name]
        try:
            return entry.load()
        # importing a package may raise anything
        except Exception as error:
            raise UnavailableError(
                Message(
                    "“{name}” ({place}) cannot be loaded ({kind}: {error}).",
                    name=name,
                    place=entry.value,
                    kind=type(error).__name__,
                    error=error,
                )
            ) from error


@functools.lru_cache(maxsize=16)
def _installed(group: str, _path: tuple[str, ...]) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=group), key=lambda entry: (not entry.value.startswith(_OWN), entry.name)):
        found.setdefault(entry.name, entry)
    return found
