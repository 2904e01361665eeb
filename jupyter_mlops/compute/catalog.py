"""The compute targets by name."""

from __future__ import annotations

from pathlib import Path

from ..core.errors import InvalidInputError
from ..core.service import TargetInfo
from ..core.values import target_problem
from . import hardware
from .kinds.local import HostTarget
from .kinds.scheduler import SchedulerTarget
from .target import Target


class Targets:
    """Creates each target on first use and keeps it.

    Args:
        local_slots: parallel runs on this machine; 0 depends on cores and memory.
        grace: seconds without heartbeat after which idle workers end themselves.
        per_device: parallel runs on each NVIDIA device.
    """

    def __init__(self, data_dir: Path, local_slots: int = 0, grace: float = 60.0, per_device: int = 1) -> None:
        self._data_dir = data_dir
        self._local_slots = local_slots
        self._grace = grace
        self._per_device = per_device
        self._known: dict[str, Target] = {}

    def get(self, name: str) -> Target:
        """The target of that name.

        Raises:
            InvalidInputError: there is no such target.
        """
        if name not in self._known:
            if problem := target_problem(name):
                raise InvalidInputError(problem)
            if name == "local":
                self._known[name] = HostTarget("local", self._data_dir, self._local_slots, self._grace)
            elif name == "cuda":
                slots = len(hardware.cuda_devices()) * self._per_device
                self._known[name] = HostTarget("cuda", self._data_dir, slots, self._grace, self._per_device)
            else:
                self._known[name] = SchedulerTarget(name)
        return self._known[name]

    def infos(self) -> list[TargetInfo]:
        """The state of all targets, ``local`` and ``cuda`` first."""
        known = {target.name: target.info() for target in self._known.values()}
        return [*merge(known, self._local_slots, self._per_device).values()]

    @property
    def outdated(self) -> bool:
        """Whether a host was wanted, and its build would be another than this process's."""
        return any(target.outdated for target in self._known.values())

    def used(self) -> list[Target]:
        """Targets that are ready."""
        return [target for target in self._known.values() if target.state == "ready"]


def merge(known: dict[str, TargetInfo], local_slots: int, per_device: int = 1) -> dict[str, TargetInfo]:
    """Targets by name, including ``local`` and ``cuda`` even if they were never used."""
    problem = hardware.cuda_problem()
    local = TargetInfo(name="local", kind="local", state="idle", slots=local_slots or hardware.default_slots())
    cuda = TargetInfo(
        name="cuda",
        kind="cuda",
        state="off" if problem else "idle",
        slots=len(hardware.cuda_devices()) * per_device,
        message=problem,
    )
    first = {"local": known.get("local", local), "cuda": cuda if problem else known.get("cuda", cuda)}
    return {**first, **{name: info for name, info in known.items() if name not in first}}
