"""``./dev test`` runs every part and tells of all of them, and of processes that are left."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[1]
# each notes how it was called; those whose call is named in `fails` fail
PROGRAM = """\
#!/bin/sh
cd "{folder}"
name="${{0##*/}} $*"
echo "$name" >> calls
case "$name" in "python -m pytest"*) exec "{python}" "$@";; esac
! grep -qxF "$name" fails
"""


def run(command: list[str | Path], **more: str) -> subprocess.CompletedProcess[str]:
    """Run what runs pytest; the package is not what lies in the working folder."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        command,
        env=env | {"PYTHONPATH": str(ROOT / "tests"), "PYTHONSAFEPATH": "1"} | more,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """``dev`` among programs that do nothing, but for pytest, which is the real one and has one test to run."""
    shutil.copy(ROOT / "dev", tmp_path)
    shutil.copytree(ROOT / "jupyter-config", tmp_path / "jupyter-config")
    python = ["pyproject.toml", "constraints.txt", "jupyter_mlops/__init__.py", "openapi.json", "tests/test_one.py"]
    frontend = ["package.json", "yarn.lock", ".yarnrc.yml", "tsconfig.json", "src/index.ts", "style/x", "schema/x"]
    for path in (*python, *frontend, ".venv/bin/uv", "ui-tests/package.json"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p session_helpers\n")
    names = ["python", "uv", "ruff", "mypy", "lint-imports", "node", "jlpm", "jupyter-builder"]
    for program in [*(tmp_path / ".venv" / "bin" / name for name in names), tmp_path / "ui-tests" / "run"]:
        program.write_text(PROGRAM.format(folder=tmp_path, python=sys.executable))
        program.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("fails", "test", "results", "closing", "code"),
    [
        ("", "def test_one(): pass", ["passed", "passed", "passed"], "1 passed", 0),
        ("mypy \nrun ", "def test_one(): pass", ["FAILED", "passed", "FAILED"], "1 passed", 1),
        ("jlpm test", "def test_one(): assert not 1", ["passed", "FAILED", "passed"], "1 failed", 1),
    ],
)
def test_a_part_that_fails_hides_no_other(
    clone: Path, fails: str, test: str, results: list[str], closing: str, code: int
) -> None:
    (clone / "fails").write_text(fails)
    (clone / "tests" / "test_one.py").write_text(test)
    done = run([clone / "dev", "test"])
    assert done.returncode == code, done.stdout
    calls = (clone / "calls").read_text().splitlines()
    # linters after one that failed, too
    for call in ("mypy ", "jlpm lint:check", "jlpm test", "run ", "python -m pytest -n 2 --dist loadfile"):
        assert call in calls
    lines = done.stdout.splitlines()
    told = [re.fullmatch(r"(linters|frontend|browser): (passed|FAILED) in \d+ s", line) for line in lines]
    assert [found.groups() for found in told if found] == list(
        zip(("linters", "frontend", "browser"), results, strict=True)
    )
    assert re.fullmatch(rf"=+ {closing} in .*", lines[-1])


def test_setup_can_be_repeated_when_the_requirements_have_changed(clone: Path) -> None:
    """An install wrote install.json through the link into the built frontend, and the next one found it there twice."""
    built, link = clone / "jupyter_mlops" / "labextension", clone / ".venv/share/jupyter/labextensions/jupyter-mlops"
    (built / "static").mkdir(parents=True)
    link.parent.mkdir(parents=True)
    for written in ("", "# more"):
        (clone / "pyproject.toml").write_text(written)
        (built / "install.json").touch()
        link.symlink_to(built)
        (clone / "calls").unlink(missing_ok=True)
        done = run([clone / "dev", "setup"])
        assert done.returncode == 0, done.stdout
        calls = (clone / "calls").read_text().splitlines()
        installs = [call for call in calls if call.startswith("uv pip install") and "-e" in call.split()]
        # what stands for it makes no link
        assert len(installs) == 1 and calls.index(installs[0]) < calls.index("jupyter-builder develop . --overwrite")
        assert not (built / "install.json").exists() and not link.is_symlink()


LEAVES = """\
import pathlib, subprocess

def test_leaves(tmp_path):
    process = subprocess.Popen(["sleep", "1000"], start_new_session=True, **{how})
    pathlib.Path("{note}").write_text(str(process.pid))
"""


@pytest.mark.parametrize("how", ["{}", "{'env': {'HOME': f'{tmp_path}/home'}}"])
def test_a_process_that_a_test_leaves_alive_fails_the_session(tmp_path: Path, how: str) -> None:
    note, module = tmp_path / "pid", tmp_path / "test_one.py"
    module.write_text(LEAVES.format(how=how, note=note))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "session_helpers",
        "-c",
        os.devnull,
        "--rootdir",
        tmp_path,
        module,
    ]
    done = run(command, MLOPS_TEST_FAREWELL="0.5")
    assert done.returncode == 1, done.stdout
    assert f"\n{note.read_text()} of " in done.stdout and "1 passed" in done.stdout
    assert not psutil.pid_exists(int(note.read_text()))
