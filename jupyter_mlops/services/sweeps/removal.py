"""Removes sweeps for good, from MLflow, the disk and the store, in an order that can be taken up again at any point."""

from __future__ import annotations

import asyncio
import shutil

from ...core.sweeps import Sweep
from ..context import Context


async def remove_sweep(context: Context, sweep: Sweep, *, mlflow: bool = True) -> None:
    """Remove a sweep with its runs and their files.

    Args:
        mlflow: whether its runs there are deleted, too, as MLflow deletes: they can be restored there.

    Raises:
        UnavailableError: MLflow does not answer; nothing was removed then.
    """
    if mlflow:
        await context.call(context.tracking.drop_sweep, sweep)
    await asyncio.to_thread(_remove, context, sweep.id)


def _remove(context: Context, sweep_id: str) -> None:
    folders = [context.layout.run(run.id) for run in context.store.runs.of_sweep(sweep_id)]
    for folder in [*folders, context.layout.sweep(sweep_id)]:
        shutil.rmtree(folder, ignore_errors=True)
    context.store.sweeps.purge(sweep_id)
