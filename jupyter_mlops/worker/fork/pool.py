"""What is costly to make is kept for the next run of the same kind."""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from .client import ForkServer, NoForkError

_ASK_AGAIN = 600.0  # s for which a refusal holds
_FAILURES = 2  # in a row; then there is no further try


class Keepable(Protocol):
    """What a pool keeps."""

    def still_good(self) -> bool:
        """Whether it may be used again."""

    def close(self) -> None:
        """Give up all it holds."""


Kept = TypeVar("Kept", bound=Keepable)


@dataclass
class _Standing:
    """How it went with one kind so far."""

    failures: int = 0
    failure: str = ""
    refused: str = ""
    refused_at: float = 0.0


class Pool(Generic[Kept]):
    """Each thing is used by one slot at a time, and kept for that slot's next run. Safe to use from any thread.

    Args:
        what: it is, for sentences.
        most_idle: how many are kept beside those in use; the ones used longest ago are closed.
    """

    def __init__(self, what: str, most_idle: int) -> None:
        self._what = what
        self._most_idle = most_idle
        self._lock = threading.Lock()
        self._idle: list[tuple[Hashable, Kept]] = []
        self._standing: dict[Hashable, _Standing] = {}

    async def take(self, key: Hashable, start: Callable[[], Awaitable[Kept]]) -> Kept:
        """One of a kind, for its holder alone until it is given back.

        Args:
            key: equal for those of one kind.
            start: makes one.

        Raises:
            NoForkError: there can be none; says why.
        """
        with self._lock:
            standing = self._standing.get(key, _Standing())
            if standing.failures >= _FAILURES:
                raise NoForkError(f"{self._what} failed {_FAILURES} times in a row: {standing.failure}")
            if standing.refused and time.monotonic() - standing.refused_at < _ASK_AGAIN:
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
        """Say how it went.

        Args:
            failure: what went wrong with it, empty where nothing did; then it is kept.
        """
        with self._lock:
            if failure:
                standing = self._standing.setdefault(key, _Standing())
                standing.failures += 1
                standing.failure = failure
                surplus = [kept]
            else:
                # nothing is kept of kinds that may never be asked for again
                self._standing.pop(key, None)
                self._idle.append((key, kept))
                surplus = [old for _, old in self._idle[: -self._most_idle]]
                self._idle = self._idle[-self._most_idle :]
        for old in surplus:
            old.close()

    def close(self) -> None:
        """Close those that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, kept in idle:
            kept.close()


fork_servers: Pool[ForkServer] = Pool("the fork server", most_idle=2)
