"""What a step hands on: variables, a JSON object in a file, files; and what it says where that is not possible."""

from __future__ import annotations

from pathlib import Path

import pytest
from step_helpers import STARTS, Version, step, went_well, why_failed
from warm_helpers import STEADY

from jupyter_mlops.core.runs import RunExtras

ALL = """
import json, os
from enum import IntEnum
from pathlib import Path
import numpy as np
class Colour(IntEnum): RED = 4
whole, real, yes, none, text = 3, 0.25, True, None, "é\\n"
small, wide, flag, zero = np.float32(0.5), np.int64(2**40), np.bool_(True), np.array(7)
place = Path("/data") / "x"
pair, colour = (1, "a"), Colour.RED
deep = {"a": [np.float64(1.5), {"b": None}], "p": place}
"""
NAMES = ["whole", "real", "yes", "none", "text", "small", "wide", "flag", "zero", "place", "pair", "colour", "deep"]


@pytest.mark.parametrize("start", STARTS)
def test_variables_of_many_kinds_are_handed_on(tmp_path: Path, start: str) -> None:
    notebook = step(tmp_path, ALL, extras=RunExtras(outputs=NAMES), kernel_start=start, metrics=["real"])
    result = went_well(notebook.run())
    assert result.kernel_start == ("warm" if start == "auto" else "fresh"), result.kernel_reason
    assert result.outputs == {
        "whole": 3,
        "real": 0.25,
        "yes": True,
        "none": None,
        "text": "é\n",
        "small": 0.5,
        "wide": 2**40,
        "flag": True,
        "zero": 7,
        "place": "/data/x",
        "pair": [1, "a"],
        "colour": 4,
        "deep": {"a": [1.5, {"b": None}], "p": "/data/x"},
    }
    assert result.outputs["yes"] is True and result.outputs["flag"] is True
    assert result.metrics == {"real": 0.25}
    assert result.warnings == []


def test_a_later_word_counts(tmp_path: Path) -> None:
    code = (
        "import json, os\nfrom pathlib import Path\na = b = c = 'variable'\nd = object()\n"
        "Path(os.environ['MLOPS_OUTPUTS']).write_text(json.dumps({'b': 'file', 'c': 'file', 'd': 1, 'more': [1]}))\n"
        "(Path(os.environ['MLOPS_RUN_DIR']) / 'deep').mkdir()\n"
        "(Path(os.environ['MLOPS_RUN_DIR']) / 'deep' / 'model-7.bin').write_text('x')\n"
    )
    extras = RunExtras(outputs=["a", "b", "c", "d"], files={"c": "deep/*.bin", "folder": "deep"})
    result = went_well(step(tmp_path, code, extras=extras).run())
    files = tmp_path / "data" / "notebook-1" / "files"
    assert result.outputs == {
        "a": "variable",
        "b": "file",
        "c": str(files / "deep" / "model-7.bin"),
        "d": 1,
        "folder": str(files / "deep"),
        "more": [1],
    }


@pytest.mark.parametrize(
    ("code", "extras", "sentence"),
    [
        ("x = 1", {"outputs": ["table"]}, "The notebook left no output “table”."),
        (
            "import pandas\ntable = pandas.DataFrame()",
            {"outputs": ["table"]},
            "The output “table” is a DataFrame, which cannot be handed on; "
            "write it to a file in MLOPS_RUN_DIR and declare it under files.",
        ),
        (
            "table = [1, {'a': {1, 2}}]",
            {"outputs": ["table"]},
            "The output “table” is a set, which cannot be handed on; "
            "write it to a file in MLOPS_RUN_DIR and declare it under files.",
        ),
        ("x = float('nan')", {"outputs": ["x"]}, "The output “x” is nan, which cannot be handed on."),
        (
            "x = 2**70",
            {"outputs": ["x"]},
            "The output “x” is a whole number beyond 64 bits, which cannot be handed on.",
        ),
        (
            "x = {1: 2}",
            {"outputs": ["x"]},
            "The output “x” has the key 1, and only texts can be keys of what is handed on.",
        ),
        (
            "x = []; x.append(x)",
            {"outputs": ["x"]},
            "The output “x” holds itself, or is nested too deeply to be handed on.",
        ),
        (
            "x = '1' * 1_500_000",
            {"outputs": ["x"]},
            "The output “x” takes 1.5 MB as JSON, more than the 1 MB that can be handed on; "
            "write it to a file in MLOPS_RUN_DIR and declare it under files.",
        ),
        (
            "class Odd:\n    @property\n    def shape(self): raise ValueError('no shape')\nx = Odd()",
            {"outputs": ["x"]},
            "The output “x” cannot be read: ValueError: no shape.",
        ),
        ("exit()", {"outputs": ["x"]}, "The notebook left no output “x” before it ended itself."),
        (
            "import os; open(os.environ['MLOPS_OUTPUTS'], 'w').write('[1]')",
            {},
            "What the notebook wrote to the file $MLOPS_OUTPUTS is not one JSON object: it begins with something else "
            "than {.",
        ),
        (
            "import os; open(os.environ['MLOPS_OUTPUTS'], 'w').write('{\"a\": NaN}')",
            {},
            "What the notebook wrote to the file $MLOPS_OUTPUTS is not one JSON object: JSON is malformed",
        ),
        (
            "1",
            {"files": {"model": "model.bin"}},
            "The notebook left no file model.bin in MLOPS_RUN_DIR for the output “model”; there is none at all.",
        ),
        (
            "import os; os.chdir(os.environ['MLOPS_RUN_DIR']); open('a.txt', 'w'); os.mkdir('d'); open('d/b.txt', 'w')",
            {"files": {"model": "*.bin"}},
            "The notebook left no file *.bin in MLOPS_RUN_DIR for the output “model”; there is a.txt, d/b.txt.",
        ),
        (
            "import os; os.chdir(os.environ['MLOPS_RUN_DIR']); open('a.txt', 'w'); open('b.txt', 'w')",
            {"files": {"text": "*.txt"}},
            "The output “text” is to be one file, and 2 match *.txt in MLOPS_RUN_DIR: a.txt, b.txt.",
        ),
        (
            "1",
            {"files": {"text": "../1/output.ipynb"}},
            "The file of the output “text” must lie below MLOPS_RUN_DIR, not at ../1/output.ipynb.",
        ),
    ],
)
def test_what_cannot_be_handed_on_fails_the_step(
    tmp_path: Path, code: str, extras: dict[str, object], sentence: str
) -> None:
    result = step(tmp_path, code, extras=RunExtras(**extras)).run()
    assert why_failed(result, "Output").startswith(sentence)
    assert result.outputs == {}
    assert result.error is not None and result.error.cell is None
    assert result.cell == result.cells == 1


def test_a_bash_step_writes_json_and_leaves_numbers(tmp_path: Path) -> None:
    extras = RunExtras(outputs=["rows", "auc", "where"], files={"table": "*.csv"})
    code = 'rows=12\nauc=0.5\nprintf \'{"where": "%s"}\' "$PWD" > "$MLOPS_OUTPUTS"\necho 1 > "$MLOPS_RUN_DIR/t.csv"'
    result = went_well(step(tmp_path, code, extras=extras, kernel="bash", metrics=["auc"]).run())
    table = tmp_path / "data" / "notebook-1" / "files" / "t.csv"
    assert result.outputs == {"rows": 12, "auc": 0.5, "where": str(tmp_path / "project"), "table": str(table)}
    assert isinstance(result.outputs["rows"], int)
    assert result.metrics == {"auc": 0.5}


def test_a_bash_step_is_told_how_to_hand_on_a_text(tmp_path: Path) -> None:
    result = step(tmp_path, "where=here", extras=RunExtras(outputs=["where"]), kernel="bash").run()
    assert why_failed(result, "Output") == (
        "The notebook left no output “where”; a bash notebook writes what it hands on as a JSON object to the file "
        "$MLOPS_OUTPUTS."
    )


def test_an_earlier_attempts_file_is_not_taken(tmp_path: Path) -> None:
    notebook = step(tmp_path, "import os\nprint(os.path.exists(os.environ['MLOPS_OUTPUTS']))\na = 1")
    spec = notebook.next_spec()
    stale = Path(spec.directory) / "1" / "outputs.json"
    stale.parent.mkdir(parents=True)
    stale.write_text('{"a": "stale"}')
    notebook.runs = 0
    assert went_well(notebook.run()).outputs == {}
    assert notebook.texts(1) == ["False\n"]


def test_steps_of_all_runs_of_a_sweep_hand_on_after_shared_cells(tmp_path: Path) -> None:
    extras = RunExtras(outputs=["base", "total"])
    notebook = step(tmp_path, "rate = 1", "base = 40", "total = base + rate", extras=extras, prefix=2, varied=["rate"])
    for rate in (1, 2):
        result = went_well(notebook.run(parameters={"rate": rate}))
        assert result.kernel_start == "shared", result.kernel_reason
        assert result.outputs == {"base": 40, "total": 40 + rate}


def test_an_ordinary_run_knows_nothing_of_steps(tmp_path: Path) -> None:
    notebook = step(tmp_path, "import os\nprint(os.environ.get('MLOPS_OUTPUTS'))\nopen('x.csv', 'w')\nopen('x.csv')")
    result = went_well(notebook.run(extras=None))
    assert (result.outputs, result.inputs) == ({}, [])
    assert notebook.texts(1) == ["None\n"]


def test_the_environment_of_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = Version(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("PYTHONPATH", f"{version.live}/src:/elsewhere")
    extras = version.extras(cpus=3, env={"MKL_NUM_THREADS": "1", "GIVEN": "yes", "MLOPS_RUN_ID": "forged"})
    code = (
        "import json, os\n"
        "names = 'MLOPS_PIPELINE_RUN OMP_NUM_THREADS MKL_NUM_THREADS GIVEN MLOPS_RUN_ID PYTHONPATH'.split()\n"
        "print(json.dumps([os.getppid(), *(os.environ[name] for name in names)]))"
    )
    notebook = step(tmp_path, code, extras=extras, threads=1)
    parents = set()
    for number in ("1", "2"):
        parent, *given = notebook.last(env={**STEADY, "MLOPS_PIPELINE_RUN": number})
        parents.add(parent)
        assert given == [number, "3", "1", "yes", f"notebook-{notebook.runs}", f"{version.project}/src:/elsewhere"]
    # what names the pipeline's run does not keep kernels from being forked from one process
    assert len(parents) == 1
