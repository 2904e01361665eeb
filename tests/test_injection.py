"""The values of a run stand directly behind the cell that its parameters were read from, whatever else is tagged."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell
from pipeline_helpers import PipelineService, piped  # noqa: F401
from warm_helpers import Notebook
from worker_helpers import make_spec, output, text_of

from jupyter_mlops.core.errors import InvalidInputError
from jupyter_mlops.core.notebook.reading import declared, inspect
from jupyter_mlops.core.runs import KernelStart
from jupyter_mlops.core.states import RunState
from jupyter_mlops.services.pipelines.airflow import tasks
from jupyter_mlops.worker import run_attempt
from jupyter_mlops.worker.notebook.template import templates
from jupyter_mlops.worker.probes import variables

TAG, INJECTED = {"tags": ["parameters"]}, {"tags": ["injected-parameters"]}
READ = new_code_cell("n: int = 1\nm = 2", metadata=TAG)
OLD = new_code_cell("# Parameters\nn = 50\nm = 60", metadata=INJECTED)
HEADING, RAW = new_markdown_cell("## n", metadata=TAG), new_raw_cell("n", metadata=TAG)
USED = new_code_cell("print('used', n, m)\nacc = n * 10")
ARRANGEMENTS = {
    "nothing else": [READ, USED],
    "a tagged heading above": [HEADING, READ, USED],
    "tagged raw text above": [RAW, new_code_cell("x = 1"), READ, USED],
    "an earlier run's values above": [OLD, READ, USED],
    "an earlier run's values behind": [READ, OLD, USED],
    "an earlier run's values far behind": [READ, new_code_cell("x = n"), OLD, USED],
    "several earlier runs' values": [OLD, HEADING, READ, OLD, OLD, USED],
    "a heading tagged as injected": [READ, new_markdown_cell("# n", metadata=INJECTED), USED],
    "another tagged cell with other names": [READ, new_code_cell("x = 1", metadata=TAG), USED],
    "a cell with both tags": [
        new_code_cell("n = 1\nm = 2", metadata={"tags": ["injected-parameters", "parameters"]}),
        USED,
    ],
}


def written(path: Path, *cells: Any) -> bytes:
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = new_notebook(
        cells=[nbformat.from_dict({**copy.deepcopy(cell), "id": f"cell-{n}"}) for n, cell in enumerate(cells)],
        metadata=metadata,
    )
    nbformat.write(notebook, path)
    return path.read_bytes()


@pytest.mark.parametrize("cells", ARRANGEMENTS.values(), ids=ARRANGEMENTS)
def test_a_run_uses_the_values_it_is_given(tmp_path: Path, cells: list[Any]) -> None:
    spec = make_spec(tmp_path, parameters={"n": 3}, metrics=["acc"])
    written(Path(spec.notebook), *cells)
    result = run_attempt(spec, lambda event: None)
    assert result.error is None
    # what it is not given is the default, not what an earlier run put in
    assert result.metrics == {"acc": 30}
    done = output(tmp_path).cells
    assert text_of(done[-1]) == "used 3 2\n"
    place = next(index for index, cell in enumerate(done) if cell.cell_type == "code" and cell.source[:1] == "n")
    assert done[place + 1].source == "# Parameters\nn = 3\n"


@pytest.mark.parametrize(
    "name", ["a tagged heading above", "an earlier run's values far behind", "several earlier runs' values"]
)
def test_so_does_a_run_that_shares_cells(tmp_path: Path, name: str) -> None:
    cells = ARRANGEMENTS[name]
    notebook = Notebook(tmp_path, varied=["n"], prefix=len(cells) - 1)
    written(Path(notebook.spec.notebook), *cells)
    try:
        starts: set[KernelStart] = set()
        for n in (3, 4):
            result = notebook.run(parameters={"n": n})
            assert result.state is RunState.SUCCEEDED, result
            starts.add(result.kernel_start)
            assert text_of(notebook.executed().cells[-1]) == f"used {n} 2\n"
        assert starts == {"shared"}
    finally:
        templates.close()


def test_so_does_a_task_of_an_exported_dag(tmp_path: Path) -> None:
    cells = [OLD, HEADING, RAW, READ, new_code_cell("x = 1", metadata=TAG), OLD, USED]
    written(tmp_path / "use.ipynb", *cells)
    reader = Path(variables.__file__).read_text()
    task = tasks.Run("p", "r", 1, {})
    found = tasks.run_notebook(
        task, "s", tmp_path / "use.ipynb", runs=tmp_path, parameters={"n": 3}, outputs=["acc", "m"], reader=reader
    )
    assert found["outputs"] == {"acc": 30, "m": 2}


def test_without_values_an_earlier_runs_are_dropped_too(tmp_path: Path) -> None:
    spec = make_spec(tmp_path)
    written(Path(spec.notebook), READ, OLD, USED)
    assert run_attempt(spec, lambda event: None).state is RunState.SUCCEEDED
    assert text_of(output(tmp_path).cells[-1]) == "used 1 2\n"


@pytest.mark.parametrize(
    ("source", "name"),
    [("n = 5", "n"), ("if True:\n    n = 5", "n"), ("x, m = 1, 2", "m"), ("for m in range(3): pass", "m")],
)
def test_a_later_tagged_cell_that_assigns_the_same_name_is_refused(source: str, name: str) -> None:
    cells = [READ, new_markdown_cell("text"), new_code_cell(source, metadata=TAG), USED]
    notebook = {"cells": cells, "metadata": {"kernelspec": {"name": "python3"}}}
    with pytest.raises(InvalidInputError, match=f"Cell 3 is tagged “parameters” too and assigns “{name}”"):
        declared(notebook)
    assert inspect(notebook, "/a.ipynb").problem.startswith("Cell 3 is tagged")


def test_other_languages_are_read_for_it_too() -> None:
    cells = [new_code_cell("n <- 1", metadata=TAG), new_code_cell("n <- 2", metadata=TAG)]
    notebook = {"cells": cells, "metadata": {"kernelspec": {"name": "ir", "language": "R"}}}
    found = inspect(notebook, "/a.ipynb")
    assert (found.problem[:16], found.open_names) == ("Cell 2 is tagged", False)


@pytest.mark.parametrize("name", ["a tagged heading above", "an earlier run's values above"])
def test_a_pipelines_step_uses_the_values_it_is_given(piped: PipelineService, name: str) -> None:  # noqa: F811
    written(piped.folder / "use.ipynb", *ARRANGEMENTS[name])
    text = "name: use\nsteps:\n  use:\n    notebook: use.ipynb\n    parameters: {n: 7}\n    outputs: [acc]\n"
    _, steps = piped.run(piped.promote(text))
    assert steps["use"].outputs["acc"] == 70
    written(piped.folder / "use.ipynb", READ, new_code_cell("n = 5", metadata=TAG), USED)
    with pytest.raises(InvalidInputError, match="Cell 2 is tagged “parameters” too"):
        piped.promote(text)
