"""Reading notebooks without running them: what is refused, identity, metrics, how MLflow is used."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from jupyter_mlops.core.errors import InvalidInputError
from jupyter_mlops.core.notebook.reading import (
    declared,
    inspect,
    mlflow_usage,
    notebook_hash,
    read_notebook,
    suggest_metrics,
)
from jupyter_mlops.core.sweeps import Sampler, SweepRequest
from jupyter_mlops.worker.kernel.cells import will_run
from jupyter_mlops.worker.notebook.execute import load


def cell(source: str | list[str], kind: str = "code", **metadata: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"cell_type": kind, "metadata": metadata, "source": source}
    return made | ({"outputs": [], "execution_count": None} if kind == "code" else {})


def notebook(*cells: dict[str, Any], language: str = "python", **metadata: Any) -> dict[str, Any]:
    kernelspec = {"name": "python3", "language": language}
    return {"nbformat": 4, "nbformat_minor": 5, "cells": list(cells), "metadata": {"kernelspec": kernelspec} | metadata}


def parameters(source: str) -> dict[str, Any]:
    return cell(source, tags=["parameters"])


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "not valid JSON"),
        (b"# a script", "not a notebook but text"),
        (b"\xff\x00", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"nbformat": 4, "cells": [{"source": "\\ud800"}]}', "not valid JSON"),
        (b"[]", "has no nbformat"),
        (b'{"a": 1}', "has no nbformat"),
        (b'{"nbformat": 3, "worksheets": []}', "nbformat “3”; open it in JupyterLab and save it"),
        (b'{"nbformat": "4", "cells": []}', "nbformat “4”"),
        (b'{"nbformat": null, "cells": []}', "nbformat “None”"),
        (b'{"nbformat": 4}', "no list of cells"),
        (b'{"nbformat": 4, "cells": {}}', "no list of cells"),
        (b'{"nbformat": 4, "cells": [1]}', "no list of cells"),
    ],
)
def test_what_is_no_notebook_gets_one_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_notebook(data)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "damage",
    [
        {"metadata": {"kernelspec": None, "language_info": 3}},
        {"metadata": {"kernelspec": "python3"}},
        {"metadata": {"mlops": "x"}},
        {"cells": [{"cell_type": "code", "metadata": {"tags": None}, "source": None}]},
        {"cells": [{"cell_type": "code", "metadata": {"tags": "hyperparameters"}, "source": ["x = ", "1"]}]},
    ],
)
def test_damaged_metadata_is_no_obstacle(damage: dict[str, Any]) -> None:
    loaded = read_notebook(json.dumps(notebook() | damage).encode())
    found = inspect(loaded, "/a.ipynb")
    assert found.problem.startswith("No cell is tagged “parameters”")
    assert found.saved is None
    assert mlflow_usage(loaded).uses_mlflow is False
    assert suggest_metrics(loaded) == []


def damaged() -> Iterator[tuple[str, bytes]]:
    """A notebook with one value missing, null or of another kind, for each of its values; and odd encodings of it."""
    printed = {"output_type": "stream", "name": "stdout", "text": ["1"]}
    shown = {"output_type": "display_data", "data": {"text/plain": ["1"]}, "metadata": {}}
    whole = notebook(
        parameters("a = 1") | {"id": "a"},
        cell(["b = a\n", "b"]) | {"outputs": [printed, shown], "id": "b"},
        cell("# T", "markdown") | {"attachments": {"a.png": {"image/png": "x"}}, "id": "c"},
    )

    def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, child in children:
            yield (*path, key)
            yield from places(child, (*path, key))

    for path in places(whole):
        for instead in (..., None, 1, "text", [], {}, [1], {"a": None}):
            changed = copy.deepcopy(whole)
            holder: Any = changed
            for key in path[:-1]:
                holder = holder[key]
            if instead is ...:
                del holder[path[-1]]
            else:
                holder[path[-1]] = instead
            yield f"{path}: {instead}", json.dumps(changed).encode()
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"):
        yield encoding, json.dumps(whole | {"é": "é"}, ensure_ascii=False).encode(encoding)


@pytest.mark.filterwarnings("ignore::nbformat.warnings.MissingIDFieldWarning")
def test_what_is_accepted_is_what_jupyter_reads_and_a_worker_can_execute(tmp_path: Path) -> None:
    """Jupyter's contents manager reads a notebook with ``open(…, encoding="utf-8")`` and ``nbformat.reads(…, 4)``."""
    accepted = refused = 0
    for what, data in damaged():
        try:
            read_notebook(data)
        except InvalidInputError:
            refused += 1
            continue
        accepted += 1
        try:
            nbformat.reads(data.decode(), as_version=4)
        except Exception as error:
            pytest.fail(f"accepted, but Jupyter refuses it: {what}: {error!r}")
        file = tmp_path / "a.ipynb"
        file.write_bytes(data)
        loaded = load(file)
        assert all(isinstance(cell.source, str) and isinstance(cell.metadata.tags, list) for cell in loaded.cells), what
        for one in loaded.cells:
            assert will_run(one) in (True, False), what
    assert accepted > 100 < refused


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("\ufeff{}".encode(), "begins with a byte order mark, which Jupyter does not read"),
        ("{}".encode("utf-16"), "begins with a byte order mark"),
        (
            json.dumps(notebook() | {"metadata": None}).encode(),
            "cannot read this notebook: it has no metadata",
        ),
        (json.dumps(notebook({"cell_type": "code", "source": ""})).encode(), "cell 1 has no metadata"),
    ],
)
def test_what_jupyter_cannot_read_is_refused_with_the_reason(data: bytes, sentence: str) -> None:
    with pytest.raises(InvalidInputError, match=sentence):
        read_notebook(data)


def test_what_jupyter_reads_is_read() -> None:
    one = notebook(parameters("a = 1"), cell("x") | {"source": None})
    del one["nbformat_minor"]
    loaded = read_notebook(json.dumps(one).encode())
    assert [parameter.name for parameter in declared(loaded)] == ["a"]


def test_identity_is_the_cells_sources_alone() -> None:
    plain = notebook(parameters("a = 1"), cell("b = a\nb"), cell("# Title", "markdown"))
    run = copy.deepcopy(plain)
    run["cells"][1] |= {"outputs": [{"output_type": "stream", "text": "1"}], "execution_count": 7, "id": "x"}
    run["cells"][1]["metadata"] = {"collapsed": True}
    run["metadata"] = {"kernelspec": {"name": "other"}, "mlops": {}}
    run["cells"][1]["source"] = ["b = a\n", "b"]
    assert notebook_hash(run) == notebook_hash(plain)


@pytest.mark.parametrize(
    "cells",
    [
        [parameters("a = 2"), cell("b")],
        [cell("b"), parameters("a = 1")],
        [parameters("a = 1"), cell("b", "markdown")],
        [parameters("a = 1"), cell("b"), cell("")],
        [parameters("a = 1b"), cell("")],
    ],
)
def test_another_source_is_another_notebook(cells: list[dict[str, Any]]) -> None:
    assert notebook_hash(notebook(*cells)) != notebook_hash(notebook(parameters("a = 1"), cell("b")))


def test_inspect() -> None:
    saved = {"path": "elsewhere.ipynb", "space": {"a": "1:3"}, "metrics": ["auc"]}
    found = inspect(notebook(cell("# T", "markdown"), parameters("a = 1"), cell("a"), mlops=saved), "/x/a.ipynb")
    assert (found.path, found.kernel, found.language, found.cells) == ("/x/a.ipynb", "python3", "python", 2)
    assert (found.parameters_cell, found.problem, found.open_names) == (1, "", False)
    assert [parameter.name for parameter in found.parameters] == ["a"]
    assert found.saved is not None
    assert (found.saved.path, found.saved.space) == ("/x/a.ipynb", {"a": "1:3"})


def test_cells_that_could_be_tagged_come_with_the_likeliest_first() -> None:
    cells = (
        cell("# T", "markdown"),
        cell("import os"),
        cell("frame = load()\nrate = 0.1\nprint(frame)"),
        cell("# how deep\ndepth = 6\nloss = 'hinge'"),
        cell("a = ("),
        cell("", tags=["injected-parameters"]),
    )
    assert inspect(notebook(*cells), "a.ipynb").parameters_cells == [3, 2]
    assert inspect(notebook(cell("import os")), "a.ipynb").parameters_cells == []


def test_a_form_of_a_newer_version_is_read_as_far_as_it_is_known() -> None:
    kept = {"space": {"a": "1:3"}, "unheard_of": 1, "sampler": {"kind": "grid", "startup": 5}}
    saved = inspect(notebook(parameters("a = 1"), mlops=kept), "/a.ipynb").saved
    # it is sent back as it is, and a request with what is not known is refused
    assert saved == SweepRequest(path="/a.ipynb", space={"a": "1:3"})
    assert type(saved) is SweepRequest and type(saved.sampler) is Sampler


@pytest.mark.parametrize("kept", [{"space": {"a": 1}}, {"sampler": "grid"}])
def test_a_form_that_is_none_is_left_alone(kept: dict[str, Any]) -> None:
    assert inspect(notebook(parameters("a = 1"), mlops=kept), "/a.ipynb").saved is None


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ([cell("a = 1")], "No cell is tagged “parameters”; tag the cell that holds them."),
        ([cell("a = 1", "markdown", tags=["parameters"])], "No cell is tagged"),
        ([parameters("# nothing")], "The parameters cell assigns nothing"),
        ([parameters("a = 1\nb = (")], "The parameters cell is not valid Python (line 2: "),
    ],
)
def test_no_parameters_and_why(cells: list[dict[str, Any]], problem: str) -> None:
    found = inspect(notebook(*cells), "/a.ipynb")
    assert found.problem.startswith(problem)
    assert (found.parameters, found.open_names) == ([], False)


@pytest.mark.parametrize(
    ("language", "cells", "names", "open_names"),
    [
        ("bash", [parameters("a=1\nb=x")], ["a", "b"], False),
        ("R", [parameters("a <- 1")], ["a"], False),
        ("bash", [parameters("source ./defaults")], [], True),
        ("scala", [cell("val a = 1")], [], True),
    ],
)
def test_other_languages_are_open_where_nothing_is_declared(
    language: str, cells: list[dict[str, Any]], names: list[str], open_names: bool
) -> None:
    found = inspect(notebook(*cells, language=language), "/a.ipynb")
    assert [parameter.name for parameter in found.parameters] == names
    assert found.open_names is open_names


def test_the_language_comes_from_wherever_it_is_written() -> None:
    info = {"kernelspec": {"name": "ir"}, "language_info": {"name": "R"}}
    assert inspect(notebook(parameters("a <- 1"), **info), "/a.ipynb").language == "r"
    assert inspect(notebook(parameters("a = 1"), kernelspec={}), "/a.ipynb").language == "python"


def test_variables_named_as_metrics_are_are_suggested_last_first() -> None:
    found = suggest_metrics(
        notebook(
            parameters("loss = 'squared'"),
            cell("%time train()\nauc = 1\ntest_rmse: float = 2"),
            cell("auc, (f1, other) = 1, (2, 3)"),
            cell("broken ("),
            cell("bad\0cell"),
            cell("if True:\n    accuracy = 1"),
            cell("score = 1", "markdown"),
        )
    )
    assert found == ["f1", "auc", "test_rmse"]
    assert suggest_metrics(notebook(cell("auc=1"), language="bash")) == []


@pytest.mark.parametrize(
    ("sources", "uses", "owns"),
    [
        (["x = 1"], False, False),
        (["import mlflow\nmlflow.log_metric('a', 1)"], True, False),
        (["from mlflow import log_metric"], True, False),
        (["import mlflow.sklearn\nwith mlflow.start_run(): pass"], True, False),
        (["import mlflow\nmlflow.set_experiment('x')"], True, True),
        (["import mlflow\nmlflow.set_tracking_uri('x')"], True, True),
        (["import mlflow\nmlflow.start_run()", "mlflow.start_run()"], True, True),
        (["import mlflow\nfor i in x:\n    mlflow.start_run()"], True, True),
        (["import mlflow\ndef f():\n    mlflow.start_run()"], True, True),
        (["import mlflow\n[mlflow.start_run() for _ in x]"], True, True),
        (["%load_ext x\nimport mlflow"], True, False),
        (["import mlflow ("], True, False),
        (["import mlflow.\0set_experiment"], True, True),
        (["start_run()\nstart_run()"], False, False),
        (["# import mlflow"], False, False),
    ],
)
def test_mlflow_usage(sources: list[str], uses: bool, owns: bool) -> None:
    found = mlflow_usage(notebook(*map(cell, sources)))
    assert (found.uses_mlflow, found.owns_runs) == (uses, owns)
