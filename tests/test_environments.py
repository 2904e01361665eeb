"""Two environments of one account on one data folder: each notebook runs in the one that asked for it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import write_notebook
from warm_kernels import put_kernel

CODE = "import os, shutil, sys\nprint(sys.executable, shutil.which('python'), os.environ.get('VIRTUAL_ENV'))"


def environment(folder: Path) -> Path:
    """The interpreter of a virtual environment that has this package and all that it needs."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    # the editable install's own path files, too
    (packages / "all.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    return folder / "bin" / "python"


class Account:
    """The command line in any environment, on one data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = os.environ | {
            f"JUPYTER_{name}_DIR": str(folder / name) for name in ("CONFIG", "DATA", "RUNTIME")
        }
        self.environ["JUPYTER_PATH"] = str(folder / "jupyter")

    def __call__(self, python: Path | str, *words: str, code: int = 0) -> str:
        command = [
            str(python),
            "-m",
            "jupyter_mlops.cli.main",
            *words,
            f"--MlopsSettings.data_dir={self.folder / 'data'}",
        ]
        environ = self.environ | {"VIRTUAL_ENV": str(Path(python).parents[1])}
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=self.folder, env=environ, timeout=120, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    account = Account(tmp_path)
    yield account
    account(sys.executable, "service", "stop")


def printed(account: Account, said: str) -> list[str]:
    """What the only run of a sweep printed."""
    run = json.loads(said)["runs"][0]
    notebook = json.loads((account.folder / "data" / "runs" / run["id"] / "1" / "output.ipynb").read_text())
    return "".join(notebook["cells"][-1]["outputs"][0]["text"]).split()


def test_a_notebook_runs_in_the_environment_that_asked(account: Account, tmp_path: Path) -> None:
    write_notebook(tmp_path / "where.ipynb", CODE)
    other = environment(tmp_path / "other")
    put_kernel(tmp_path / "jupyter", "mine", sys.executable)
    theirs = [str(other), str(other), str(other.parents[1])]
    # the service is made by the first, and serves both
    assert printed(account, account(sys.executable, "sweep", "where.ipynb", "--json"))[0] == sys.executable
    said = account(other, "sweep", "where.ipynb", "--json")
    assert printed(account, said) == theirs
    assert f"started by  {other}" in account(sys.executable, "sweep", "show", json.loads(said)["sweep"]["id"])
    assert f"Python: {sys.executable};" in account(other, "service", "status")
    assert printed(account, account(other, "sweep", "where.ipynb", "--kernel", "mine", "--json"))[0] == sys.executable
    # a pipeline runs in the one that promoted it, whoever asks for a run
    account(other, "pipeline", "promote", "where.ipynb")
    account(sys.executable, "pipeline", "run", "where", "--wait")
    shutil.rmtree(other.parents[1])
    said = account(sys.executable, "pipeline", "run", "where", "--wait", code=1)
    assert f"there is no {other} any more" in said
