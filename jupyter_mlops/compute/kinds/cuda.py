"""This machine's NVIDIA devices: a worker process for each."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ...core.errors import UnavailableError
from ...core.messages import Message
from ...core.record import Record
from ...core.targets import Resources, TargetInfo, TargetRecord
from ...settings import MlopsSettings
from .. import hardware
from ..host_target import HostTarget


class CudaOptions(Record, frozen=True, kw_only=True):
    """Options of the kind ``cuda``.

    Attributes:
        slots_per_device: runs at once on each device, which share its memory; 0 takes the setting.
    """

    slots_per_device: int = 0


class CudaTarget(HostTarget):
    """Workers on this machine, each with one device."""

    Options = CudaOptions

    def __init__(self, record: TargetRecord, settings: MlopsSettings) -> None:
        super().__init__(record, settings)
        self.per_worker = _per_device(self.options, settings)
        self.workers = len(hardware.cuda_devices())

    @classmethod
    def offer(cls, record: TargetRecord) -> Resources:
        """See :class:`~jupyter_mlops.compute.target.Target`."""
        return Resources(accelerators=1)

    @classmethod
    def idle_info(cls, record: TargetRecord, settings: MlopsSettings) -> TargetInfo:
        """See :class:`~jupyter_mlops.compute.target.Target`."""
        problem = hardware.cuda_problem()
        return TargetInfo(
            name=record.name,
            kind=record.kind,
            state="off" if problem else "idle",
            slots=len(hardware.cuda_devices()) * _per_device(cls.options_of(record), settings),
            message=problem,
        )

    async def _open(self, progress: Callable[[Message], None]) -> None:
        if problem := hardware.cuda_problem():
            raise UnavailableError(problem)
        await super()._open(progress)

    @staticmethod
    async def make_cluster(workers: int, options: dict[str, Any]) -> Any:
        """See :class:`~jupyter_mlops.compute.host_target.HostTarget`; there is a worker for each device."""
        from dask_cuda import LocalCUDACluster

        os.environ["MLOPS_ONE_DEVICE"] = "1"
        return await LocalCUDACluster(memory_limit=None, **options)


def _per_device(options: CudaOptions, settings: MlopsSettings) -> int:
    return options.slots_per_device or settings.slots_per_device
