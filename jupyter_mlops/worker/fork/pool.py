"""A pool of reusable processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from .client import ForkServer, NoForkError

_RETRY_SECONDS = 600.0  # after a refusal
_FAILURES = 2  # consecutive failures after which there is no further attempt


class Keepable(Protocol):
    """An item of a pool."""

    def still_good(self) -> bool:
        """Whether it may be used again."""

    def close(self) -> None:
        """Free its resources."""


Kept = TypeVar("Kept", bound=Keepable)


@dataclass
class _Standing:
    """Failures of one kind so far."""

    failures: int = 0
    failure: str = ""
    refused: str = ""
    refused_at: float = 0.0


class Pool(Generic[Kept]):
    """Keeps items for reuse; each has one user at a time. Thread-safe.

    Args:
        what: kind of item, for messages.
        most_idle: maximum number of unused items; the least recently used ones are closed.
    """

    def __init__(self, what: str, most_idle: int) -> None:
        self._what = what
        self._most_idle = most_idle
        self._lock = threading.Lock()
        self._idle: list[tuple[Hashable, Kept]] = []
        self._standing: dict[Hashable, _Standing] = {}

    async def take(self, key: Hashable, start: Callable[[], Awaitable[Kept]]) -> Kept:
        """Take an item for exclusive use until it is given back.

        Args:
            key: equal for interchangeable items.
            start: creates an item.

        Raises:
            NoForkError: none can be created; the message says why.
        """
        with self._lock:
            standing = self._standing.get(key, _Standing())
            if standing.failures >= _FAILURES:
                raise NoForkError(f"{self._what} failed {_FAILURES} times in a row: {standing.failure}")
            if standing.refused and time.monotonic() - standing.refused_at < _RETRY_SECONDS:
                raise NoForkError(standing.refused)
            mine = [entry for entry in self._idle if entry[0] == key][-1:]
            for entry in mine:
                self._idle.remove(entry)
        for _, kept in mine:
            if kept.still_good():
                return kept
            kept.close()
        try:
            return await start()
        except NoForkError as error:
            with self._lock:
                standing = self._standing.setdefault(key, standing)
                standing.refused, standing.refused_at = str(error), time.monotonic()
            raise

    def give_back(self, key: Hashable, kept: Kept, failure: str = "") -> None:
        """Return an item.

        Args:
            failure: what went wrong with it; empty keeps it for reuse.
        """
        with self._lock:
            if failure:
                standing = self._standing.setdefault(key, _Standing())
                standing.failures += 1
                standing.failure = failure
                surplus = [kept]
            else:
                self._standing.pop(key, None)
                self._idle.append((key, kept))
                surplus = [old for _, old in self._idle[: -self._most_idle]]
                self._idle = self._idle[-self._most_idle :]
        for old in surplus:
            old.close()

    def close(self) -> None:
        """Close all unused items."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, kept in idle:
            kept.close()


fork_servers: Pool[ForkServer] = Pool("the fork server", most_idle=2)
