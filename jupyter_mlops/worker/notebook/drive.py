"""Executes a notebook's cells: progress, limits, metrics, and the kernel's shutdown."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode

from ...core.messages import Message
from ..attempt import Attempt, Ending
from ..attempt_files import attempt_folder
from ..failures import CellFailedError, EndedError, KernelGoneError, exited_well
from ..fork.client import ForkServerLostError, NoForkError
from ..fork.imports import remembered_imports
from ..hiding import SHORTEST, Hiding
from ..kernel.cells import CellClient, NotebookExitError, will_run
from ..kernel.environment import WATCHES_MLFLOW, find_secrets, kernel_environment, own_variables
from ..kernel.launch import Kernel, Launch, log_is_empty, start_kernel
from ..outputs import OutputKeeper, new_output
from ..probes.metrics import language_of, read_kernel, watch_mlflow
from ..probes.step import watch_files
from .recorder import Recorder
from .template import Template, execute_injected, fill, key_of, make_template, templates

if TYPE_CHECKING:
    from ..processes.groups import ProcessGroup

_TICK = 0.25  # s
_SAMPLE = 1.0  # s between two measurements of memory
_SAMPLE_SHARE = 50  # at least this multiple of a measurement's duration lies between two
_SHUTDOWN_TIMEOUT = 2.0  # s for atexit handlers

logger = logging.getLogger(__name__)


async def drive(recorder: Recorder, kernel_name: str, attempt: Attempt) -> None:
    """Start a kernel, execute the notebook, read the metrics, end the kernel.

    Raises:
        EndedError: a user or a limit ended the attempt.
        ForkServerLostError: the kernel was lost through no fault of the notebook; execute it again.
        StepError: a secret cannot be found.
        CellFailedError, KernelGoneError, UnavailableError: the notebook or its kernel failed.
    """
    spec = attempt.spec
    limit = attempt.limit(Ending.RUN_TIMEOUT, spec.run_timeout)
    launch = _launch(recorder, kernel_name, attempt)
    try:
        reason = Message()
        if spec.prefix and not launch.fresh:
            try:
                await _drive_from_template(recorder, attempt, launch)
                return
            except NoForkError as error:
                reason = Message("no cells were shared: {error}", error=error)
                recorder.notebook_start()
                attempt.starts_over()
        await _drive_alone(recorder, attempt, launch, reason)
    except Exception:
        # errors after an end from outside are only its consequence
        attempt.raise_if_ended()
        raise
    finally:
        if limit is not None:
            limit.cancel()
        if log_is_empty(launch.log):
            launch.log.unlink(missing_ok=True)


def _launch(recorder: Recorder, kernel_name: str, attempt: Attempt) -> Launch:
    spec, extras = attempt.spec, attempt.spec.extras
    sources = [cell.source for cell in recorder.nb.cells if will_run(cell)]
    fresh = spec.kernel_start == "fresh"
    folders = (extras.project,) if extras is not None and extras.project else ()
    secrets = {} if extras is None else find_secrets(extras.secrets)
    _hide(attempt, secrets)
    environ = kernel_environment(spec)
    own = own_variables(environ, extras, secrets)
    return Launch(
        name=kernel_name,
        spec=attempt.kernelspec,
        folder=Path(spec.folder),
        environ=environ,
        log=attempt_folder(spec) / "kernel.log",
        imports=() if fresh else remembered_imports(sources, Path(spec.folder), attempt.files, folders),
        fresh="the setting kernel_start is fresh" if fresh else "",
        own=own,
        folders=folders,
        hide=attempt.hiding.text if attempt.hiding else None,
    )


def _hide(attempt: Attempt, secrets: dict[str, str]) -> None:
    """Hide the secrets in everything stored of the attempt from now on."""
    if secrets:
        attempt.hiding = Hiding(secrets)
    for name in attempt.hiding.short:
        attempt.warn(
            Message(
                "The secret “{name}” has fewer than {shortest} characters, too few to hide it in outputs.",
                name=name,
                shortest=SHORTEST,
            )
        )


async def _drive_alone(recorder: Recorder, attempt: Attempt, launch: Launch, reason: Message) -> None:
    kernel = await start_kernel(launch, attempt.kernel_started)
    # entered at once: it ends the kernel, also where the next lines fail
    async with _watched(recorder, attempt, kernel):
        attempt.kernel_start = kernel.start
        attempt.kernel_reason = Message.together([reason, Message.verbatim(kernel.reason)], "; ")
        client = _client(recorder, attempt, kernel)
        attempt.began(_code_cells(recorder.nb.cells))
        await _run(recorder, attempt, client, 0)


async def _drive_from_template(recorder: Recorder, attempt: Attempt, launch: Launch) -> None:
    """Execute the cells that are not shared, in a kernel forked after the shared ones.

    Raises:
        NoForkError: sharing is impossible; execute the whole notebook.
    """
    end = attempt.shared_end

    async def execute(kernel: Kernel) -> CellClient:
        """Execute the shared cells, in the slot's first run."""
        attempt.kernel_start = kernel.start
        async with _watched(recorder, attempt, kernel, close=False):
            client = _client(recorder, attempt, kernel)
            attempt.began(_code_cells(recorder.nb.cells))
            await _run_cells(recorder, attempt, client, 0, end)
            client.take_all_output()
            return client

    async def make() -> Template:
        return await make_template(launch, attempt.kernel_started, execute, end)

    key = key_of(attempt.spec, launch)
    template = await templates.take(key, make)
    failure = ""
    try:
        kernel = await start_kernel(replace(launch, source=template.server), attempt.kernel_started)
        async with _watched(recorder, attempt, kernel):
            attempt.kernel_start = kernel.start = "shared"
            attempt.kernel_reason = Message()
            fill(recorder.nb, template, attempt.injected)
            client = _client(recorder, attempt, kernel)
            client.take_known(template.outputs)
            attempt.began(_code_cells(recorder.nb.cells), _code_cells(recorder.nb.cells[:end]))
            await execute_injected(client, template, attempt.injected)
            await _run(recorder, attempt, client, end)
    except (NoForkError, ForkServerLostError) as error:
        failure = str(error)
        raise
    finally:
        templates.give_back(key, template, failure)


@asynccontextmanager
async def _watched(recorder: Recorder, attempt: Attempt, kernel: Kernel, close: bool = True) -> AsyncIterator[None]:
    """Update file, progress and measurements periodically; finally close the kernel if ``close``."""
    ticker = asyncio.create_task(_tick(recorder, attempt, kernel.group))
    try:
        yield
    finally:
        ticker.cancel()
        with suppress(asyncio.CancelledError):
            await ticker
        kernel.group.sample()
        if close:
            await kernel.close()


def _client(recorder: Recorder, attempt: Attempt, kernel: Kernel) -> CellClient:
    hiding = attempt.hiding
    keeper = OutputKeeper(attempt.spec.max_output, partial(hiding.texts, going_on=True) if hiding else None)
    client = CellClient(recorder.nb, kernel, keeper, recorder.touched, hiding)
    recorder.gather = client.gather
    watched = {"files": watch_files()} if attempt.spec.extras is not None else {}
    if WATCHES_MLFLOW in attempt.spec.env:
        watched["mlflow"] = watch_mlflow()
    if watched and kernel.start != "shared" and language_of(client) == "python":
        # requests are handled in order, so the reply need not be awaited
        kernel.client.execute("", silent=True, store_history=False, user_expressions=watched)
    return client


def _code_cells(cells: list[NotebookNode]) -> int:
    return sum(will_run(cell) for cell in cells)


async def _run_cells(recorder: Recorder, attempt: Attempt, client: CellClient, begin: int, end: int) -> None:
    try:
        for index in range(begin, end):
            cell = recorder.nb.cells[index]
            if will_run(cell):
                await _run_cell(recorder, attempt, client, index)
            else:
                recorder.cell_start(cell, cell_index=index)
                recorder.cell_complete(cell, cell_index=index)
    finally:
        if client.keeper.cut:
            attempt.warn(client.keeper.sentence)
        for remark in client.remarks:
            attempt.warn(remark)


async def _run(recorder: Recorder, attempt: Attempt, client: CellClient, begin: int) -> None:
    failed: CellFailedError | None = None
    finished = False
    try:
        await _run_cells(recorder, attempt, client, begin, len(recorder.nb.cells))
        finished = True
    except NotebookExitError:
        attempt.warn(
            Message(
                "The notebook ended itself in cell {cell} of {cells}; the rest was not run.",
                cell=attempt.cell,
                cells=attempt.cells,
            )
        )
    except CellFailedError as error:
        failed = error
    finally:
        attempt.clock.cells_done()
    attempt.raise_if_ended()
    recorder.nb.metadata["language_info"] = dict(client.kernel.client.info.get("language_info", {}))
    client.set_widgets_metadata()
    if finished:
        attempt.finished = True
        await read_kernel(attempt, client)
        attempt.raise_if_ended()
    client.kernel.group.sample()
    attempt.end_if_too_large()
    attempt.raise_if_ended()
    await client.kernel.ask_to_end(_SHUTDOWN_TIMEOUT)
    if failed is not None:
        raise failed


async def _run_cell(recorder: Recorder, attempt: Attempt, client: CellClient, index: int) -> None:
    cell = recorder.nb.cells[index]
    limit = attempt.limit(Ending.CELL_TIMEOUT, attempt.spec.cell_timeout)
    attempt.cell_index = index
    recorder.cell_start(cell, cell_index=index)
    try:
        await client.run_cell(cell, index)
    except NotebookExitError:
        recorder.cell_complete(cell, cell_index=index)
        attempt.cell_done()
        raise
    except CellFailedError as error:
        if exited_well(error):
            cell.outputs = [output for output in cell.outputs if output.output_type != "error"]
            recorder.cell_complete(cell, cell_index=index)
            attempt.cell_done()
            raise NotebookExitError from None
        _failed(recorder, cell, index)
        raise
    except Exception as error:
        gone = await _cause(attempt, client.kernel, error)
        name = gone.error_name if isinstance(gone, EndedError | KernelGoneError) else type(gone).__name__
        cell.outputs.append(new_output("error", ename=name, evalue=str(gone), traceback=[str(gone)]))
        _failed(recorder, cell, index)
        if gone is error:
            raise
        raise gone from None
    finally:
        if limit is not None:
            limit.cancel()
    recorder.cell_complete(cell, cell_index=index)
    attempt.cell_done()


def _failed(recorder: Recorder, cell: NotebookNode, index: int) -> None:
    recorder.cell_exception(cell, cell_index=index)
    recorder.cell_complete(cell, cell_index=index)


async def _cause(attempt: Attempt, kernel: Kernel, error: Exception) -> Exception:
    """Why a cell failed: an end from outside, the kernel's death, or else the error itself."""
    if attempt.ending is not None:
        return attempt.ended()
    deadline = time.monotonic() + 1.0
    while (code := await kernel.exit_code()) is None and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    if kernel.lost:
        raise ForkServerLostError("The process that the run's kernel was forked from ended.")
    if code is None and not isinstance(error, DeadKernelError):
        return error
    return KernelGoneError(code, f"cell {attempt.cell + 1} of {attempt.cells}")


async def _tick(recorder: Recorder, attempt: Attempt, group: ProcessGroup) -> None:
    """Update file, progress and measurements while cells run."""
    next_sample = 0.0
    # a memory limit needs frequent measurements
    pause = _SAMPLE if attempt.memory_limit is None else _TICK
    while True:
        attempt.flush()
        try:
            recorder.save_if_due()
        except OSError as error:
            logger.warning("the executed notebook could not be saved for now: %s", error)
        if (now := time.monotonic()) >= next_sample:
            group.sample()
            attempt.end_if_too_large()
            took = time.monotonic() - now
            next_sample = now + max(pause, _SAMPLE_SHARE * took)
            attempt.report_metrics()
        await asyncio.sleep(_TICK)
