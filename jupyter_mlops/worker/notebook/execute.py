"""From an attempt's beginning to its result."""

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
    """Execute it; whatever the notebook does is told by the result.

    Raises:
        ForkServerLostError: nothing the notebook did ended it; it is to be repeated.
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
        attempt.warn(f"It read more than {MOST_INPUTS:,} files; only the first are recorded.")
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
        worker=attempt.worker,
        outputs=attempt.outputs,
        inputs=inputs,
        code=code,
    )


def _without_secrets(attempt: Attempt) -> dict[str, float]:
    """The metrics but for those that are a secret, which may be a number."""
    kept = {}
    for name, number in attempt.metrics.items():
        whole = int(number) if float(number).is_integer() else number
        if attempt.hiding.found_in([number, whole]):
            attempt.warn(f"The metric '{name}' is a secret and was left out.")
        else:
            kept[name] = number
    for sentence in not_comparable(kept):
        attempt.warn(sentence)
    return kept


def _outcome(attempt: Attempt) -> tuple[RunState, RunError | None]:
    """Execute it; how it ended, told without secrets."""
    state, error = _executed(attempt)
    if not attempt.hiding:
        return state, error
    # what it holds was read; what is wrong with it is told
    outputs_file(attempt.spec).unlink(missing_ok=True)
    attempt.kernel_reason = attempt.hiding.text(attempt.kernel_reason)
    if error is not None:
        texts = (error.name, error.message, error.traceback)
        name, message, traceback = map(attempt.hiding.text, texts)
        error = RunError(name=name, message=message, cell=error.cell, traceback=traceback)
    return state, error


def _executed(attempt: Attempt) -> tuple[RunState, RunError | None]:
    from ..failures import CellFailedError
    from ..fork.client import ForkServerLostError
    from ..probes.step import handed_on

    try:
        _run_notebook(attempt)
        attempt.outputs = handed_on(attempt)
    except CellFailedError as error:
        where = f"cell {attempt.cell + 1} of {attempt.cells}"
        return RunState.FAILED, cell_error(error, attempt.cell_index or 0, where)
    except ForkServerLostError:
        # nothing the notebook did: as when a worker is lost, the run is repeated
        raise
    except Exception as error:
        if attempt.ending is Ending.STOPPED:
            return RunState.STOPPED, None
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
        # in this thread, in an event loop of its own
        asyncio.run(drive(recorder, spec.kernel, attempt))
    finally:
        recorder.notebook_complete()


def load(path: Path) -> NotebookNode:
    """The frozen notebook as papermill's engines want one."""
    import nbformat
    from papermill import __version__

    notebook: NotebookNode = nbformat.v4.upgrade(nbformat.from_dict(read_notebook(path.read_bytes())))
    known = {"default_parameters": {}, "parameters": {}, "environment_variables": {}, "version": __version__}
    notebook.metadata.setdefault("papermill", nbformat.from_dict(known))
    return notebook


def _inject(attempt: Attempt, notebook: NotebookNode) -> None:
    """Put the values directly behind the code cell that they were read from, and drop what an earlier run put in.

    papermill's own injection goes by the first cell with a tag, of whatever kind, and by where an earlier run put its
    values, so that the notebook's defaults may win.
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
    """Assignments of the values in the kernel's language, by its name as papermill knows it: “R”, but “python”.

    Raises:
        InvalidInputError: papermill cannot write values, or one of these, in that language.
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
