"""Records of targets: what they are, how they stand, and what runs need of them."""

from __future__ import annotations

from typing import Any, Literal

from .messages import Message
from .record import Record, no_message


class Resources(Record, frozen=True, kw_only=True):
    """What one run needs, or what one slot of a target has.

    Attributes:
        cores: threads of the run's libraries; None for what the other side gives.
        memory: bytes; None for no limit.
        accelerators: number of devices.
    """

    cores: int | None = None
    memory: int | None = None
    accelerators: int = 0

    def covers(self, needs: Resources) -> bool:
        """Whether a slot has the devices that a run needs; cores and memory are shared, and limited when it runs."""
        return needs.accelerators <= self.accelerators


class TargetRecord(Record, frozen=True, kw_only=True):
    """A target as it is stored.

    Attributes:
        kind: name of an entry point of ``jupyter_mlops.targets``.
        options: of that kind.
    """

    name: str
    kind: str
    options: dict[str, Any] = {}


class TargetInfo(Record, frozen=True, kw_only=True):
    """How a target stands.

    Attributes:
        state: ``off`` means that it cannot be used (``message`` says why), ``idle`` that its first use starts it.
        slots: number of runs it can execute at once; 0 if not known yet.
        busy: slots in use.
    """

    name: str
    kind: str
    state: Literal["off", "idle", "starting", "ready", "failed"]
    slots: int = 0
    busy: int = 0
    message: Message = no_message()
