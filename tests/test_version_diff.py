"""What is different between two versions, and between two environments."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jupyter_mlops.core.pipelines.definition import Alerts, PipelineDefinition, Step, StepSweep
from jupyter_mlops.core.pipelines.records import Version
from jupyter_mlops.core.runs import SecretRef
from jupyter_mlops.core.sweeps import Objective
from jupyter_mlops.environments import packages
from jupyter_mlops.services.pipelines.diff import diff, notebook_diff
from jupyter_mlops.services.pipelines.packages import drift, sentence


class Blobs(dict[str, bytes]):
    def put(self, data: bytes | str) -> str:
        content = data.encode() if isinstance(data, str) else data
        digest = hashlib.sha256(content).hexdigest()
        self[digest] = content
        return digest


@pytest.fixture
def blobs() -> Blobs:
    return Blobs()


def notebook(*sources: str, **metadata: Any) -> bytes:
    cells = [
        {
            "cell_type": "code",
            "id": f"c{i}",
            "metadata": metadata,
            "source": source,
            "outputs": [],
            "execution_count": 1,
        }
        for i, source in enumerate(sources)
    ]
    kernelspec = {"name": "python3", "language": "python", "display_name": "Python"}
    return json.dumps(
        {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernelspec}, "cells": cells}
    ).encode()


def version(number: int, definition: PipelineDefinition | None = None, **fields: Any) -> Version:
    wanted = definition or PipelineDefinition(steps={})
    return Version(pipeline_id="p", number=number, definition=wanted, **fields)


def test_two_equal_versions_differ_in_nothing(blobs: Blobs) -> None:
    one = version(1, files={"a.py": blobs.put("x")}, lock={"python3": blobs.put("a==1")})
    found = diff(one, msgspec.structs.replace(one, number=2), blobs.__getitem__)
    assert (found.older, found.newer) == (1, 2)
    assert not any((found.parameters, found.environment, found.files, found.notebooks, found.code))


def test_parameters_and_steps_are_named(blobs: Blobs) -> None:
    older = PipelineDefinition(
        parameters={"month": 1, "gone": "x"},
        steps={
            "prepare": Step(notebook="prepare.ipynb"),
            "train": Step(
                notebook="train.ipynb",
                parameters={"depth": 3, "flag": 1},
                secrets={"TOKEN": SecretRef(env="OLD")},
                sweep=StepSweep(space={"depth": "1:3"}, objective=Objective(metric="auc")),
            ),
        },
        alerts=Alerts(to=["mailto://ada:hunter2@example.org"]),
    )
    newer = PipelineDefinition(
        parameters={"month": 2, "extra": [1]},
        steps={
            "train": Step(
                notebook="train.ipynb",
                parameters={"depth": 5, "flag": True},
                secrets={"TOKEN": SecretRef(keyring="service/ada")},
                retries=2,
                after=["evaluate"],
                sweep=StepSweep(space={"depth": "1:5"}, objective=Objective(metric="auc")),
            ),
            "evaluate": Step(notebook="evaluate.ipynb"),
        },
        concurrency=2,
        deadline=600.0,
        alerts=Alerts(to=["slack://secret-token/x", SecretRef(env="WHERE")]),
    )
    found = diff(version(1, older), version(2, newer), blobs.__getitem__)
    assert found.parameters == [
        "month: 1 → 2",
        "gone: x → absent",
        "extra: absent → [1]",
        "prepare: the step is gone",
        "train.depth: 3 → 5",
        "train.flag: 1 → true",
        "train.sweep.space.depth: 1:3 → 1:5",
        'train.after: [] → ["evaluate"]',
        "train.retries: 0 → 2",
        'train.secrets.TOKEN.env: OLD → ""',
        'train.secrets.TOKEN.keyring: "" → service/ada',
        "evaluate: a new step, evaluate.ipynb",
        "concurrency: 1 → 2",
        'alerts.to: ["mailto://…"] → ["slack://…", {"env": "WHERE", "keyring": "", "file": ""}]',
        "deadline: absent → 600",
    ]


def test_files_code_and_data_are_told_apart(blobs: Blobs) -> None:
    older = {
        "same.py": blobs.put("same"),
        "helpers.py": blobs.put("a = 1\nb = 2\n"),
        "gone.sql": blobs.put("select 1"),
        "data.csv": blobs.put("1"),
        "tool.so": blobs.put(b"\0\1"),
        "big.sql": blobs.put("x" * 1_000_001),
        "latin.R": blobs.put(b"x <- '\xe9'"),
    }
    newer = {
        "same.py": older["same.py"],
        "helpers.py": blobs.put("a = 1\nb = 3\n"),
        "new.py": blobs.put("new"),
        "data.csv": blobs.put("2"),
        "tool.so": blobs.put(b"\0\2"),
        "big.sql": blobs.put("y"),
        "latin.R": blobs.put(b"x <- '\xe8'; y"),
    }
    found = diff(
        version(1, files=older, data=["data.csv"]), version(2, files=newer, data=["data.csv"]), blobs.__getitem__
    )
    assert found.files == [
        "big.sql: changed",
        "data.csv: changed data",
        "gone.sql: gone",
        "helpers.py: changed",
        "latin.R: changed",
        "new.py: new",
        "tool.so: changed",
    ]
    assert found.code["helpers.py"].splitlines() == [
        "--- helpers.py (older)",
        "+++ helpers.py (newer)",
        "@@ -1,2 +1,2 @@",
        " a = 1",
        "-b = 2",
        "+b = 3",
    ]
    assert "too long" in found.code["big.sql"] and sorted(found.code) == ["big.sql", "helpers.py", "latin.R"]


def test_notebooks_are_compared_cell_by_cell(blobs: Blobs) -> None:
    older = notebook("import a", "depth = 3\nfit(depth)", "print('end')")
    newer = notebook("import a", "depth = 5\nfit(depth)", "print('end')", "new_cell()")
    found = diff(
        version(1, files={"train.ipynb": blobs.put(older)}),
        version(2, files={"train.ipynb": blobs.put(newer)}),
        blobs.__getitem__,
    )
    lines = found.notebooks["train.ipynb"].splitlines()
    assert "-  depth = 3" in lines and "+  depth = 5" in lines and any("new_cell()" in line for line in lines)
    assert not any("\x1b" in line for line in lines) and not any("import a" in line for line in lines)
    assert found.code == {} and found.files == ["train.ipynb: changed"]


def test_outputs_and_what_programs_write_are_no_difference() -> None:
    older, newer = notebook("a = 1"), json.loads(notebook("a = 1", execution={"iopub": "now"}, tags=[]))
    newer["cells"][0] |= {
        "id": "other",
        "execution_count": 7,
        "source": ["a = 1"],
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "x"}],
    }
    del newer["cells"][0]["metadata"]["tags"]
    newer["metadata"]["language_info"] = {"name": "python", "version": "3.13"}
    assert notebook_diff(older, json.dumps(newer).encode()) == ""
    tagged = notebook_diff(older, notebook("a = 1", tags=["parameters"]))
    assert "parameters" in tagged
    assert "-{" in notebook_diff(b"{\n", b"[\n")


def test_nbdime_is_not_imported_before_it_is_wanted() -> None:
    code = "import jupyter_mlops.services.pipelines.diff, sys; assert not {'nbdime', 'nbformat'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_environments_are_compared_by_package(blobs: Blobs) -> None:
    before = "python==3.11.7\nnumpy==1.0\nScikit_Learn==1\nold==1\ntwice==1\ntwice==2\n"
    after = "python==3.12.0\nNumPy==2.0\nscikit-learn==1\nnew==3\ntwice==1\n"
    changes = drift(before, after)
    assert changes == [
        "python 3.11.7 → 3.12.0",
        "new absent → 3",
        "numpy 1.0 → 2.0",
        "old 1 → absent",
        "twice 1, 2 → 1",
    ]
    assert sentence(changes) == "python 3.11.7 → 3.12.0, new absent → 3, numpy 1.0 → 2.0 and 2 more"
    assert sentence(changes[:2]) == "python 3.11.7 → 3.12.0, new absent → 3" and sentence([]) == ""
    assert drift(before, before) == []
    one = version(1, lock={"python3": blobs.put(before), "other": blobs.put("a==1"), "r": blobs.put("x==1")})
    two = version(2, lock={"python3": blobs.put(before), "other": blobs.put("a==2")})
    assert diff(one, two, blobs.__getitem__).environment == [
        "other: a 1 → 2",
        "kernel r: not recorded any more",
    ]


def test_the_lock_is_of_the_kernels_own_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    spec = tmp_path / "kernels" / "mine"
    spec.mkdir(parents=True)
    meta = tmp_path / "site" / "mine-2.5.dist-info"
    meta.mkdir(parents=True)
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 2.5\n")
    argv = [str(tmp_path / "env" / "bin" / "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel = {"argv": argv, "display_name": "Mine", "language": "python", "env": {"PYTHONPATH": str(tmp_path / "site")}}
    (spec / "kernel.json").write_text(json.dumps(kernel))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    # what lies in the folder of the asking process is not installed
    here = tmp_path / "here" / "stray-1.0.dist-info"
    here.mkdir(parents=True)
    (here / "METADATA").write_text("Metadata-Version: 2.1\nName: stray\nVersion: 1.0\n")
    monkeypatch.chdir(here.parent)
    found = packages("mine", "1")
    assert found is not None and found[0] == f"python=={sys.version.split()[0]}\nmine==2.5\n"
    own = packages("python3", "1")
    assert own is not None and "jupyterlab==" in own[0] and "stray" not in own[0]
    assert packages("absent", "1") is None
    (spec / "kernel.json").write_text(json.dumps(kernel | {"argv": [str(tmp_path / "gone" / "python"), "-m", "x"]}))
    assert packages("mine", "2") is None
