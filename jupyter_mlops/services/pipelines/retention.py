"""Removes past runs, deleted sweeps and pipelines, and unused project folders. Can be interrupted at any point."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from ...core.errors import NotFoundError, UnavailableError
from ...core.pipelines.records import Pipeline, PipelineRun
from ...core.sweeps import Sweep
from ...store import Store
from ..context import Context

log = logging.getLogger(__name__)

MOST = 200  # runs of one pipeline per pass
# warm kernels may keep a folder as their working directory for a while
REST = timedelta(days=1)
# more than a year, so that a backfill of last year does not repeat what ran
FIRES_KEPT = timedelta(days=400)


async def apply(context: Context) -> None:
    """Apply the retention of all pipelines and purge what was deleted long ago.

    Each service removes only its own runs, because it holds their files. Nothing is removed while MLflow cannot say
    which runs registered models come from.
    """
    await asyncio.to_thread(context.store.triggers.purge_fires, _ago(FIRES_KEPT))
    try:
        await _remove_deleted_sweeps(context)
        for pipeline in context.store.pipelines.find():
            # there may be thousands of pipelines; let due work run in between
            await asyncio.sleep(0)
            await _remove_past_runs(context, pipeline)
            await _remove_projects(context, pipeline)
        await _remove_deleted(context)
    except UnavailableError as error:
        log.warning("Retention is postponed: %s", error.message)


# -- runs --------------------------------------------------------------------------------------


async def _remove_past_runs(context: Context, pipeline: Pipeline) -> None:
    store = context.store
    retention = store.pipelines.version(pipeline.id, pipeline.version).definition.retention
    if retention.runs is None and retention.days is None:
        return
    before = None if retention.days is None else _ago(timedelta(days=retention.days))
    doomed = store.pipeline_runs.surplus(pipeline.id, context.service, MOST, newest=retention.runs, before=before)
    models = await _with_model(context, await asyncio.to_thread(_mlflow_runs, store, doomed))
    doomed = await _not_taken(store, pipeline, [run for run in doomed if run.id not in models])
    for run in doomed:
        await _remove_run(context, run)
    if doomed:
        log.info("%s past runs of pipeline “%s” were removed", len(doomed), pipeline.name)


async def _not_taken(store: Store, pipeline: Pipeline, doomed: list[PipelineRun]) -> list[PipelineRun]:
    """Runs whose results no remaining run reuses or will reuse, newest first."""
    untaken = _untaken(doomed, await asyncio.to_thread(_takers, store, pipeline))
    # without fingerprints no further step can reuse them: a step finds and takes a result without yielding
    steps = [step for run in untaken for step in store.pipeline_runs.steps(run.id) if step.fingerprint]
    for step in steps:
        store.pipeline_runs.change_step(step.id, fingerprint="")
        await asyncio.sleep(0)
    return _untaken(untaken, await asyncio.to_thread(_takers, store, pipeline)) if steps else untaken


def _takers(store: Store, pipeline: Pipeline) -> dict[str, set[str]]:
    """Ids of the runs that reused a result, by id of the run they took it from."""
    takers: dict[str, set[str]] = defaultdict(set)
    for step in store.pipeline_runs.reused_steps(pipeline.id):
        takers[step.reused].add(step.run_id)
    return takers


def _untaken(doomed: list[PipelineRun], takers: dict[str, set[str]]) -> list[PipelineRun]:
    found: list[PipelineRun] = []
    going: set[str] = set()
    # newest first: once a run goes, the older results it reused may go, too
    for run in doomed:
        if takers.get(run.id, set()) <= going:
            going.add(run.id)
            found.append(run)
    return found


async def _with_model(context: Context, owners: dict[str, str]) -> set[str]:
    """The pipeline runs and sweeps among the owners of MLflow runs that a registered model comes from."""
    linked = await context.call(context.tracking.linked_to_model, list(owners)) if owners else set()
    return {owners[run_id] for run_id in linked}


def _mlflow_runs(store: Store, runs: list[PipelineRun]) -> dict[str, str]:
    """The pipeline run by each of its MLflow runs."""
    own = {run.mlflow_run_id: run.id for run in runs if run.mlflow_run_id}
    return own | {found: run.id for run in runs for sweep in _sweeps(store, run) for found in _of_sweep(store, sweep)}


def _of_sweep(store: Store, sweep: Sweep) -> list[str]:
    found = [sweep.mlflow_run_id, *(run.mlflow_run_id for run in store.runs.of_sweep(sweep.id))]
    return [run_id for run_id in found if run_id]


def _sweeps(store: Store, run: PipelineRun) -> list[Sweep]:
    """Sweeps that executed a run's own steps; a step that reuses a result refers to another run's sweep."""
    found = []
    for sweep_id in {sweep_id for step in store.pipeline_runs.steps(run.id) for sweep_id in step.sweeps}:
        try:
            sweep = store.sweeps.get(sweep_id)
        except NotFoundError:
            continue
        if sweep.pipeline_run == run.id:
            found.append(sweep)
    return found


async def _remove_run(context: Context, run: PipelineRun, *, mlflow: bool = True) -> None:
    for sweep in _sweeps(context.store, run):
        await _remove_sweep(context, sweep, mlflow=mlflow)
    if run.mlflow_run_id and mlflow:
        await context.call(context.tracking.drop_runs, [run.mlflow_run_id])
    context.store.pipeline_runs.purge(run.id)


# -- folders -----------------------------------------------------------------------------------


async def _remove_projects(context: Context, pipeline: Pipeline) -> None:
    """Remove the folders of versions in which nothing runs; a folder that is needed again is recreated."""
    store = context.store
    versions = context.layout.project(pipeline.id, 1).parent.parent
    if not versions.is_dir():
        return
    for folder in list(versions.iterdir()):
        number = int(folder.name) if folder.name.isdecimal() else 0
        if number == store.pipelines.get(pipeline.id).version or (
            number and store.pipeline_runs.in_use(pipeline.id, number, _ago(REST))
        ):
            continue
        if number:
            # no await since the check: a run that begins from here on creates a new folder
            folder = folder.rename(versions / f".{number}-{uuid4().hex}")  # noqa: PLW2901
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


# -- what was deleted ----------------------------------------------------------------------------


async def _remove_sweep(context: Context, sweep: Sweep, *, mlflow: bool = True) -> None:
    """Remove a sweep, its runs and their files.

    Args:
        mlflow: whether to delete its MLflow runs as well; MLflow can restore them.

    Raises:
        UnavailableError: MLflow does not answer; nothing was removed.
    """
    if mlflow:
        await context.call(context.tracking.drop_sweep, sweep)
    await asyncio.to_thread(_purge_sweep, context, sweep.id)


def _purge_sweep(context: Context, sweep_id: str) -> None:
    folders = [context.layout.run(run.id) for run in context.store.runs.of_sweep(sweep_id)]
    for folder in [*folders, context.layout.sweep(sweep_id)]:
        shutil.rmtree(folder, ignore_errors=True)
    context.store.sweeps.purge(sweep_id)


async def _remove_deleted_sweeps(context: Context) -> None:
    """Purge deleted sweeps; the MLflow runs of one that a registered model comes from stay."""
    before = _ago(timedelta(days=context.settings.keep_deleted_days))
    for sweep_id in context.store.sweeps.purgeable(before, context.service):
        sweep = context.store.sweeps.get(sweep_id)
        # it may have been restored meanwhile
        if sweep.deleted_at is not None:
            owners = dict.fromkeys(await asyncio.to_thread(_of_sweep, context.store, sweep), sweep_id)
            models = await _with_model(context, owners)
            await _remove_sweep(context, sweep, mlflow=not models)
            if models:
                log.info("A registered model comes from sweep %s, so MLflow keeps its runs", sweep_id)


async def _remove_deleted(context: Context) -> None:
    """Purge deleted pipelines; MLflow runs that a registered model comes from stay."""
    store = context.store
    purged = []
    for pipeline_id in store.pipelines.purgeable(_ago(timedelta(days=context.settings.keep_deleted_days))):
        while ours := store.pipeline_runs.surplus(pipeline_id, context.service, MOST, newest=0):
            models = await _with_model(context, await asyncio.to_thread(_mlflow_runs, store, ours))
            for run in ours:
                await _remove_run(context, run, mlflow=run.id not in models)
        folder: Path = context.layout.project(pipeline_id, 1).parent.parent
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        # other services remove their own runs; the last one purges the pipeline
        if not store.pipeline_runs.find(pipeline_id, limit=1):
            purged.append(pipeline_id)
    if purged:
        await asyncio.to_thread(store.pipelines.purge, purged)


def _ago(duration: timedelta) -> str:
    return (datetime.now(UTC) - duration).isoformat(timespec="microseconds")
