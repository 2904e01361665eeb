"""A warm kernel changes nothing: many small notebooks, each executed by plain papermill and by us."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
import pytest
from corpus_helpers import (
    ENTRIES,
    Entry,
    Half,
    alike,
    by_chance,
    failed,
    install_other_kernel,
    mask,
    papermill_alone,
    without_its_end,
    written,
)
from IPython.core.magics.execution import TimeitResult

from jupyter_mlops.core.runs import RunResult, RunSpec
from jupyter_mlops.core.states import RunState
from jupyter_mlops.worker import run_attempt
from jupyter_mlops.worker.kernel.environment import kernel_environment


def spec_of(entry: Entry, folder: Path, run_id: str) -> RunSpec:
    return RunSpec(
        run_id=run_id,
        sweep_id="the-sweep",
        index=0,
        attempt=1,
        notebook=str(folder / "project" / "notebook.ipynb"),
        folder=str(folder / "project"),
        directory=str(folder / run_id),
        kernel=entry.kernel,
        parameters=entry.parameters,
        run_timeout=60,
    )


@pytest.fixture(scope="module", autouse=True)
def other_kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("other")
    install_other_kernel(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder))
        yield


@contextlib.contextmanager
def plain_environment() -> Iterator[None]:
    """Kernels that find pytest's variable take no output from below Python."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTEST_CURRENT_TEST")
        yield


def installed(entry: Entry) -> bool:
    return not entry.needs or importlib.util.find_spec(entry.needs) is not None


class Papermill:
    """Executes the corpus with papermill, two notebooks at a time, while the tests go on."""

    def __init__(self, names: list[str], folder: Path) -> None:
        self.folder = folder
        # made one by one by a process without threads; each takes notebook after notebook
        self._pool = ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))
        self._halves = {name: self._begin(ENTRIES[name], folder / name) for name in names}

    def _begin(self, entry: Entry, folder: Path) -> Future[list[str]]:
        notebook = entry.write(folder / "project")
        spec = spec_of(entry, folder, f"{entry.name}-by-papermill")
        for name in ("files", "1"):
            (Path(spec.directory) / name).mkdir(parents=True)
        log = f"{spec.directory}/1/kernel.log"
        environ = kernel_environment(spec)
        return self._pool.submit(
            papermill_alone,
            str(notebook),
            entry.kernel,
            str(folder / "out.ipynb"),
            log,
            entry.parameters,
            environ,
        )

    def half(self, name: str) -> Half:
        error = self._halves[name].result(timeout=120)
        folder = self.folder / name
        return Half(nbformat.read(folder / "out.ipynb", as_version=4), folder, f"{name}-by-papermill", error)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def papermill(
    request: pytest.FixtureRequest, other_kernel: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Papermill]:
    """Its half of the notebooks that were asked for and can be executed here."""
    names = [
        item.callspec.params["name"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.module is request.module and hasattr(item, "callspec")
    ]
    names = [name for name in names if installed(ENTRIES[name])]
    with plain_environment():
        papermill = Papermill(names, tmp_path_factory.mktemp("papermill"))
    yield papermill
    papermill.close()


def execute(entry: Entry, folder: Path, which: str) -> tuple[RunResult, Half]:
    entry.write(folder / "project")
    spec = spec_of(entry, folder, f"{entry.name}-by-us-{which}")
    with plain_environment():
        result = run_attempt(spec, lambda event: None)
    error = [result.error.name, result.error.message] if result.error else []
    notebook = nbformat.read(Path(spec.directory) / "1" / "output.ipynb", as_version=4)
    return result, Half(notebook, folder, spec.run_id, error)


def lines(notebook: dict[str, Any]) -> list[str]:
    """For an assertion that shows where two notebooks differ."""
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True).splitlines()


def assert_warm(result: RunResult, entry: Entry) -> None:
    expected = ("fresh" if entry.fresh else "warm", entry.fresh)
    assert (result.kernel_start, result.kernel_reason) == expected


@pytest.mark.parametrize("name", ENTRIES)
def test_as_papermill(name: str, papermill: Papermill, tmp_path: Path) -> None:
    entry = ENTRIES[name]
    if not installed(entry):
        pytest.skip(f"{entry.needs} is not installed")
    # the second one comes from a fork server that has been used
    ours = [execute(entry, tmp_path, which) for which in ("first", "second")]
    theirs = papermill.half(name)
    for result, half in ours:
        if entry.dies:
            assert theirs.error[0] == "DeadKernelError" and half.error[0] == "Exit"
            assert lines(without_its_end(half)) == lines(without_its_end(theirs))
        else:
            assert lines(alike(half)) == lines(alike(theirs))
            assert result.state == (RunState.FAILED if failed(theirs) else RunState.SUCCEEDED), result.error
        assert written(half) == written(theirs)
        assert_warm(result, entry)
    chance = [by_chance(half) for half in (theirs, *(half for _, half in ours))]
    for kind in chance[0]:
        drawn = [value for one in chance for value in one[kind]]
        assert len(set(drawn)) == len(drawn) >= 3, f"{kind} came twice: {drawn}"


def test_every_duration_is_made_alike() -> None:
    """As IPython itself prints them, which writes a Greek mu, and an exponent above 999."""
    half = Half(None, Path("/nowhere"), "the-run", [])
    for mean in (0.0, 4.2e-9, 9.999e-7, 1.2e-6, 3e-4, 0.9999, 75.0, 1e5):
        timed = str(TimeitResult(2, 2, mean, mean, [mean, 3 * mean], 0.0, 3))
        expected = "TIME per loop (mean ± std. dev. of 2 runs, 2 loops each)"
        assert mask(timed.replace("+-", "±"), half) == expected
    slow = "The slowest run took 9.70 times longer than the fastest. This could mean that an intermediate result is "
    slow += "being cached.\n1.9 μs ± 1 μs per loop\nCompiler time: 0.31 s\n"
    assert mask(slow, half) == "TIME per loop\n"
    slow = "CPU times: user 3 ms, sys: 0 ns, total: 3 ms\nWall time: 2 μs\nCompiler : 310 ms\nParser   : 120 ms\n"
    assert mask(slow, half) == "CPU times: TIME\nWall time: TIME\n"


def test_a_module_edited_between_two_sweeps(tmp_path: Path) -> None:
    cells = [nbformat.v4.new_code_cell("import json, helper\njson.dumps(helper.VALUE)")]
    seen = []
    for value in ("before", "after"):
        entry = Entry("edited", files={"helper.py": f"VALUE = {value!r}\n"}, cells=cells)
        result, half = execute(entry, tmp_path, value)
        assert_warm(result, entry)
        seen.append(half.notebook.cells[0].outputs[0].data["text/plain"])
    assert seen == ["'\"before\"'", "'\"after\"'"]
