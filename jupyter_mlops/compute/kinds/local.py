"""This machine's cores: a worker process for each slot."""

from __future__ import annotations

from typing import Any

from ...core.record import Record
from ...core.targets import TargetInfo, TargetRecord
from ...settings import MlopsSettings
from .. import hardware
from ..host_target import HostTarget


class LocalOptions(Record, frozen=True, kw_only=True):
    """Options of the kind ``local``.

    Attributes:
        slots: runs at once; 0 depends on cores and memory.
    """

    slots: int = 0


class LocalTarget(HostTarget):
    """Workers on this machine."""

    Options = LocalOptions
    grows = True

    def __init__(self, record: TargetRecord, settings: MlopsSettings) -> None:
        super().__init__(record, settings)
        self.workers = _slots(self.options, settings)

    @classmethod
    def idle_info(cls, record: TargetRecord, settings: MlopsSettings) -> TargetInfo:
        """See :class:`~jupyter_mlops.compute.target.Target`."""
        slots = _slots(cls.options_of(record), settings)
        return TargetInfo(name=record.name, kind=record.kind, state="idle", slots=slots)

    @staticmethod
    async def make_cluster(workers: int, options: dict[str, Any]) -> Any:
        """See :class:`~jupyter_mlops.compute.host_target.HostTarget`."""
        from distributed import LocalCluster

        return await LocalCluster(n_workers=workers, processes=True, memory_limit=0, host="127.0.0.1", **options)


def _slots(options: LocalOptions, settings: MlopsSettings) -> int:
    return options.slots or settings.local_slots or hardware.default_slots()
