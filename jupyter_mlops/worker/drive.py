"""From the first cell to the last: progress, limits, metrics, and the kernel's end."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from nbformat import NotebookNode

from .attempts import Attempt, Ending
from .cells import CellClient, CellFailedError, NotebookExitError
from .engine import Recorder
from .environment import kernel_environment
from .forks import ForkServerLostError
from .imports import warm_imports
from .kernels import Kernel, Launch, find_kernel, log_is_empty, start_kernel
from .metrics import read_metrics
from .outputs import OutputKeeper, new_output
from .places import attempt_folder
from .sentences import EndedError, KernelGoneError, exited_well

if TYPE_CHECKING:
    from .processes import ProcessGroup

_TICK = 0.25  # s
_SAMPLE = 1.0  # s between two looks at the kernel's memory
_SAMPLE_SHARE = 50  # on machines with many processes looking takes long: then it is done more rarely
_FAREWELL = 2.0  # s for atexit handlers

logger = logging.getLogger(__name__)


async def drive(recorder: Recorder, kernel_name: str, attempt: Attempt) -> None:
    """Start the kernel, execute the notebook in it, read the metrics, end the kernel.

    Raises:
        EndedError: a person or a limit ended it.
        CellFailedError, KernelGoneError, UnavailableError: what the notebook or its kernel did.
    """
    spec = attempt.spec
    limit = attempt.limit(Ending.RUN_TIMEOUT, spec.run_timeout)
    log = attempt_folder(spec) / "kernel.log"
    launch = Launch(
        name=kernel_name,
        spec=find_kernel(kernel_name),
        folder=Path(spec.folder),
        environ=kernel_environment(spec),
        log=log,
        imports=tuple(
            warm_imports([cell.source for cell in recorder.nb.cells if cell.cell_type == "code"], Path(spec.folder))
        ),
        fresh="the setting kernel_start is fresh" if spec.kernel_start == "fresh" else "",
    )
    try:
        kernel = await start_kernel(launch, attempt.kernel_started)
        attempt.kernel_start, attempt.kernel_reason = kernel.start, kernel.reason
        ticker = asyncio.create_task(_tick(recorder, attempt, kernel.group))
        try:
            await _run(recorder, attempt, kernel)
        finally:
            ticker.cancel()
            with suppress(asyncio.CancelledError):
                await ticker
            kernel.group.sample()
            await kernel.close()
    except Exception:
        # whatever it looked like from here, that is why
        attempt.raise_if_ended()
        raise
    finally:
        if limit is not None:
            limit.cancel()
        if log_is_empty(log):
            log.unlink(missing_ok=True)


async def _run(recorder: Recorder, attempt: Attempt, kernel: Kernel) -> None:
    keeper = OutputKeeper(attempt.spec.max_output)
    client = CellClient(recorder.nb, kernel, keeper, recorder.touched)
    recorder.gather = client.gather
    attempt.began(sum(client.will_run(cell) for cell in recorder.nb.cells))
    try:
        for index, cell in enumerate(recorder.nb.cells):
            if client.will_run(cell):
                await _run_cell(recorder, attempt, client, index)
            else:
                recorder.cell_complete(cell, cell_index=index)
        finished = True
    except NotebookExitError:
        attempt.warn(f"The notebook ended itself in cell {attempt.cell} of {attempt.cells}; the rest was not run.")
        finished = False
    finally:
        attempt.clock.cells_done()
        if keeper.cut:
            attempt.warn(keeper.sentence)
    attempt.raise_if_ended()
    if finished:
        recorder.nb.metadata["language_info"] = await _language(client)
        client.set_widgets_metadata()
        await read_metrics(attempt, client)
        attempt.raise_if_ended()
    kernel.group.sample()
    await kernel.ask_to_end(_FAREWELL)


async def _language(client: CellClient) -> dict[str, object]:
    reply = await client.async_wait_for_reply(client.kernel.client.kernel_info())
    return dict(reply["content"].get("language_info", {})) if reply else {}


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
    except Exception:
        gone = await _why_gone(attempt, client.kernel)
        cell.outputs.append(new_output("error", ename=gone.error_name, evalue=str(gone), traceback=[str(gone)]))
        _failed(recorder, cell, index)
        raise gone from None
    finally:
        if limit is not None:
            limit.cancel()
    recorder.cell_complete(cell, cell_index=index)
    attempt.cell_done()


def _failed(recorder: Recorder, cell: NotebookNode, index: int) -> None:
    recorder.cell_exception(cell, cell_index=index)
    recorder.cell_complete(cell, cell_index=index)


async def _why_gone(attempt: Attempt, kernel: Kernel) -> EndedError | KernelGoneError:
    if attempt.ending is not None:
        return attempt.ended()
    deadline = time.monotonic() + 1.0
    while (code := await kernel.exit_code()) is None and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    if kernel.lost:
        raise ForkServerLostError("The process that the run's kernel was forked from ended.")
    return KernelGoneError(code, f"cell {attempt.cell + 1} of {attempt.cells}")


async def _tick(recorder: Recorder, attempt: Attempt, group: ProcessGroup) -> None:
    """Keep file, progress and measurements fresh while a cell takes long."""
    next_sample = 0.0
    while True:
        attempt.flush()
        try:
            recorder.save_if_due()
        except OSError as error:
            logger.warning("the executed notebook could not be saved for now: %s", error)
        if (now := time.monotonic()) >= next_sample:
            group.sample()
            took = time.monotonic() - now
            next_sample = now + max(_SAMPLE, _SAMPLE_SHARE * took)
        await asyncio.sleep(_TICK)
