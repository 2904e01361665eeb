"""What an end user does: install the wheel where there is no Node, and use it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import write_notebook

ROOT = Path(__file__).parents[1]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The wheel in a clean environment, and an environment of variables without Node and without a home."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps", "--no-build-isolation", "-q", "-w", str(folder)],
        check=True,
    )
    (wheel,) = folder.glob("*.whl")
    environment = folder / "env"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    home = folder / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "MLFLOW", "PYTHON"))}
    clean = kept | {"HOME": str(home), "PATH": f"{environment / 'bin'}:{_path_without_node()}"}
    subprocess.run(
        ["pip", "install", "-q", "-c", str(ROOT / "constraints.txt"), str(wheel)],
        check=True,
        env=kept | {"PATH": clean["PATH"]},
    )
    return environment / "bin", clean


def _path_without_node() -> str:
    folders = os.environ["PATH"].split(os.pathsep)
    own = str(Path(sys.executable).parent)
    return os.pathsep.join(f for f in folders if f != own and not (Path(f) / "node").exists()) or "/usr/bin:/bin"


def _output(bin_folder: Path, env: dict[str, str], *command: str) -> str:
    done = subprocess.run(
        [str(bin_folder / command[0]), *command[1:]], env=env, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)


def test_both_halves_are_enabled_and_ok(installed: tuple[Path, dict[str, str]]) -> None:
    lab = _output(*installed, "jupyter", "labextension", "list")
    (line,) = [line for line in lab.splitlines() if "jupyter-mlops" in line]
    assert "enabled" in line
    assert "OK" in line
    server = _output(*installed, "jupyter", "server", "extension", "list")
    (said,) = [line for line in server.splitlines() if "jupyter_mlops" in line and "OK" in line]
    assert "jupyter_mlops enabled" in server
    assert said


def test_a_sweep_from_the_installed_wheel(installed: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "n.ipynb", "a: int = 1", "score = a * 2")
    command = ("jupyter", "mlops", "sweep", str(notebook), "--param", "a=1:2", "--metric", "score", "--json")
    done = subprocess.run(
        [str(installed[0] / command[0]), *command[1:]],
        env=installed[1],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    try:
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert [run["metrics"]["score"] for run in told["runs"]] == [2, 4]
    finally:
        _output(*installed, "jupyter", "mlops", "service", "stop")
