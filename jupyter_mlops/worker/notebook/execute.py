"""Executes an attempt and builds its result."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ...core.errors import InvalidInputError
from ...core.messages import Message
from ...core.notebook.reading import is_injected, parameters_cell, read_notebook
from ...core.record import now
from ...core.runs import RunError, RunResult, not_comparable
from ...core.states import RunState
from ..attempt import Attempt, Ending
from ..attempt_files import attempt_folder, changed, files_folder, outputs_file, snapshot
from ..failures import cell_error, other_error
from ..inputs import MOST_INPUTS, code_of, expected_inputs, inputs_of

if TYPE_CHECKING:
    from nbformat import NotebookNode


def execute(attempt: Attempt) -> RunResult:
    """Execute an attempt; a failing notebook gives a failed result.

    Raises:
        ForkServerLostError: the kernel was lost through no fault of the notebook; repeat the attempt.
    """
    spec = attempt.spec
    started_at = now()
    folder = Path(spec.folder)
    own = (Path(spec.directory), Path(spec.directory).parent)
    before = attempt.files = snapshot(folder, own)
    expected = expected_inputs(spec)
    outputs_file(spec).unlink(missing_ok=True)
    state, error = _outcome(attempt)
    written = changed(before, snapshot(folder, own))
    opened = {**expected, **attempt.opened} if state is RunState.SUCCEEDED else {}
    inputs = [msgspec.structs.replace(file, path=attempt.hiding.text(file.path)) for file in inputs_of(spec, opened)]
    if len(inputs) == MOST_INPUTS < len(opened):
        attempt.warn(
            Message("It read more than {most_inputs:,} files; only the first are recorded.", most_inputs=MOST_INPUTS)
        )
    code = code_of(spec, attempt.loaded)
    return RunResult(
        run_id=spec.run_id,
        attempt=spec.attempt,
        state=state,
        started_at=started_at,
        ended_at=now(),
        metrics=_without_secrets(attempt),
        error=error,
        cell=attempt.cell,
        cells=attempt.cells,
        peak_memory=attempt.peak_memory,
        cpu_seconds=attempt.cpu_seconds,
        timing=attempt.clock.timing(),
        kernel_start=attempt.kernel_start,
        kernel_reason=attempt.kernel_reason,
        warnings=attempt.warnings,
        written=attempt.hiding.tree(written),
        curves=attempt.curves.whole(attempt.hiding),
        worker=attempt.worker,
        outputs=attempt.outputs,
        inputs=inputs,
        code=code,
    )


def _without_secrets(attempt: Attempt) -> dict[str, float]:
    """The metrics but for those that are a secret, which may be a number."""
    kept = {}
    for name, number in attempt.metrics.items():
        if attempt.hiding.hides(number):
            attempt.warn(Message("The metric '{name}' is a secret and was left out.", name=name))
        else:
            kept[name] = number
    for sentence in not_comparable(kept):
        attempt.warn(sentence)
    return kept


def _outcome(attempt: Attempt) -> tuple[RunState, RunError | None]:
    """Execute an attempt; its final state, and its error without secrets."""
    state, error = _execute(attempt)
    if not attempt.hiding:
        return state, error
    # it was read, and may hold secrets
    outputs_file(attempt.spec).unlink(missing_ok=True)
    attempt.kernel_reason = attempt.hiding.message(attempt.kernel_reason)
    if error is not None:
        error = RunError(
            name=attempt.hiding.text(error.name),
            message=attempt.hiding.message(error.message),
            cell=error.cell,
            traceback=attempt.hiding.text(error.traceback),
        )
    return state, error


def _execute(attempt: Attempt) -> tuple[RunState, RunError | None]:
    from ..failures import CellFailedError
    from ..fork.client import ForkServerLostError
    from ..probes.step import step_outputs

    try:
        _run_notebook(attempt)
        attempt.outputs = step_outputs(attempt)
    except CellFailedError as error:
        where = f"cell {attempt.cell + 1} of {attempt.cells}"
        return RunState.FAILED, cell_error(error, attempt.cell_index or 0, where)
    except ForkServerLostError:
        # the run is repeated, as after the loss of a worker
        raise
    except Exception as error:
        if attempt.ending in (Ending.STOPPED, Ending.PRUNED):
            return RunState(attempt.ending.value), None
        return RunState.FAILED, other_error(error, attempt.cell_index)
    return RunState.SUCCEEDED, None


def _run_notebook(attempt: Attempt) -> None:
    from ..kernel.launch import find_kernel
    from .drive import drive
    from .recorder import Recorder

    spec = attempt.spec
    files_folder(spec).mkdir(parents=True, exist_ok=True)
    attempt.kernelspec = find_kernel(spec.kernel, spec.kernelspec)
    notebook = load(Path(spec.notebook))
    _inject(attempt, notebook)
    attempt.raise_if_ended()
    recorder = Recorder(notebook, str(attempt_folder(spec) / "output.ipynb"))
    recorder.notebook_start()
    try:
        asyncio.run(drive(recorder, spec.kernel, attempt))
    finally:
        recorder.notebook_complete()


def load(path: Path) -> NotebookNode:
    """Read the frozen notebook with the metadata that papermill's engines need."""
    import nbformat
    from papermill import __version__

    notebook: NotebookNode = nbformat.v4.upgrade(nbformat.from_dict(read_notebook(path.read_bytes())))
    known = {"default_parameters": {}, "parameters": {}, "environment_variables": {}, "version": __version__}
    notebook.metadata.setdefault("papermill", nbformat.from_dict(known))
    return notebook


def _inject(attempt: Attempt, notebook: NotebookNode) -> None:
    """Inject the values directly behind the parameters cell, and drop cells injected by earlier runs.

    papermill injects behind the first tagged cell of any type, or where an earlier run injected, so that the
    notebook's defaults may win.
    """
    from nbformat.v4 import new_code_cell

    spec, cells, place = attempt.spec, notebook.cells, parameters_cell(notebook)
    attempt.shared_end = spec.prefix
    if not spec.parameters and place is None:
        return
    kept = [not is_injected(cell) for cell in cells]
    notebook.cells = [cell for cell, keep in zip(cells, kept, strict=True) if keep]
    attempt.shared_end = sum(kept[: spec.prefix])
    if spec.parameters:
        source = as_source(attempt)
        injected = attempt.injected = 0 if place is None else sum(kept[: place + 1])
        cell = new_code_cell(source, metadata={"tags": ["injected-parameters"]})  # type: ignore[no-untyped-call]
        notebook.cells.insert(injected, cell)
        attempt.shared_end += injected < attempt.shared_end
        notebook.metadata.papermill["parameters"] = spec.parameters


def as_source(attempt: Attempt) -> str:
    """Source that assigns the values in the kernel's language. papermill's names of languages are “R”, but “python”.

    Raises:
        InvalidInputError: papermill cannot write these values in that language.
    """
    from papermill.exceptions import PapermillException
    from papermill.translators import translate_parameters

    spec, language = attempt.spec, attempt.kernelspec.language
    why = ""
    for name in dict.fromkeys((language, language.lower(), language.upper())):
        try:
            source: str = translate_parameters(spec.kernel, name, spec.parameters, "Parameters")
        except PapermillException:
            continue
        except NotImplementedError as error:
            why = f": {error}"
            break
        return source
    raise InvalidInputError(
        Message(
            "papermill cannot write these parameters in {language}{why}; have the notebook read "
            "them from the environment or a file.",
            language=language or "the unnamed language of this kernel",
            why=why,
        )
    )
