"""What a step read and imported: seen when it was opened, or named by a pattern; told as the person knows the path."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from step_helpers import STARTS, Version, step, went_well
from worker_helpers import run

from jupyter_mlops.core.runs import InputFile, RunExtras
from jupyter_mlops.worker import inputs as tracing


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def as_read(path: str, text: str) -> InputFile:
    return InputFile(path=path, sha256=sha(text), size=len(text))


READ = """
import gzip, json, os, sqlite3, sys, tempfile
import numpy as np, pandas as pd
from pathlib import Path
folder = Path(os.environ["MLOPS_RUN_DIR"])
pd.read_csv("data/a.csv")                                   # through the link
Path("data/b.txt").resolve().read_text()                    # at its real place
open(b"frozen.txt").close()                                 # a copy of the version
os.close(os.open("data/c.bin", os.O_RDONLY))
Path("data/own.csv").write_text("x,y\\n1,2\\n")              # made here
pd.read_csv("data/own.csv")
Path("data/old").write_text("1"); os.replace("data/old", "data/new"); Path("data/new").read_text()
(folder / "mine.txt").write_text("x"); (folder / "mine.txt").read_text()
with tempfile.NamedTemporaryFile("w+") as file:
    file.write("x"); file.flush(); open(file.name).read()
child = tempfile.gettempdir() + "/by-a-child.txt"
os.system("echo 1 > " + child); open(child).read(); os.remove(child)
open("/proc/self/status").read(); open("/etc/hostname").read(); open(os.__file__).read(); open("code.py").read()
open(Path(pd.__file__).parent / "py.typed").read() if (Path(pd.__file__).parent / "py.typed").exists() else None
try:
    open("data/absent.csv")
except FileNotFoundError:
    print("absent")
os.chdir("data"); open("d.txt").read(); os.chdir("..")
open(os.environ["OUTSIDE"]).read()
"""


@pytest.mark.parametrize("start", STARTS)
def test_files_that_a_notebook_opens_are_its_inputs(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, start: str
) -> None:
    version = Version(tmp_path)
    outside = tmp_path_factory.mktemp("outside") / "o.txt"
    texts = {"a.csv": "x,y\n1,2\n", "b.txt": "b", "c.bin": "c", "d.txt": "d"}
    for name, text in texts.items():
        (version.live / "data" / name).write_text(text)
    (version.project / "frozen.txt").write_text("frozen")
    (version.project / "code.py").write_text("")
    outside.write_text("outside")
    extras = version.extras(env={"OUTSIDE": str(outside)})
    notebook = step(tmp_path, READ, extras=extras, kernel_start=start)
    result = went_well(notebook.run())
    assert notebook.texts(1) == ["absent\n"]
    assert result.inputs == [
        as_read("data/a.csv", texts["a.csv"]),
        as_read("data/b.txt", "b"),
        as_read("frozen.txt", "frozen"),
        as_read("data/c.bin", "c"),
        as_read("data/d.txt", "d"),
        as_read(str(outside), "outside"),
    ]
    assert result.warnings == []
    if start == "auto":
        again = went_well(notebook.run())
        assert again.kernel_start == "warm"
        # what it made before is there from the beginning, and still its own
        assert again.inputs == result.inputs


def test_patterns_name_what_other_programs_read(tmp_path: Path) -> None:
    version = Version(tmp_path)
    for name in ("a.csv", "deep/b.csv", "c.txt"):
        (version.live / "data" / name).parent.mkdir(exist_ok=True)
        (version.live / "data" / name).write_text(name)
    (tmp_path / "beside.csv").write_text("beside")
    extras = version.extras(inputs=["data/**/*.csv", "../*.csv", "data/none*.csv"])
    code = "cat data/a.csv\necho 1 > data/new.csv"
    result = went_well(step(tmp_path, code, extras=extras, kernel="bash").run())
    assert result.inputs == [
        as_read("data/a.csv", "a.csv"),
        as_read("data/deep/b.csv", "deep/b.csv"),
        as_read(str(tmp_path / "beside.csv"), "beside"),
    ]


def test_a_file_that_changed_behind_its_reader_has_no_hash(tmp_path: Path) -> None:
    for name in ("kept", "changed", "gone", "appended"):
        (tmp_path / "project").mkdir(exist_ok=True)
        (tmp_path / "project" / name).write_text("12345")
    code = (
        "import os\nfor name in ('kept', 'changed', 'gone', 'appended'):\n    open(name).read()\n"
        "open('changed', 'w').write('other'); os.remove('gone'); open('appended', 'a').write('6')"
    )
    inputs = went_well(step(tmp_path, code).run()).inputs
    assert [Path(file.path).name for file in inputs] == ["kept", "changed", "gone", "appended"]
    assert [file.sha256 for file in inputs] == [sha("12345"), "", "", ""]
    assert {file.size for file in inputs} == {5}


def test_a_file_is_hashed_once_as_long_as_it_stays(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("one")
    state = tracing.state_of(str(path))
    assert state is not None and tracing.sha256_of(str(path), state) == sha("one")
    path.write_text("two")
    os.utime(path, ns=(state[0], state[0]))
    # the same time, size and inode: it is not read again
    assert tracing.state_of(str(path)) == state and tracing.sha256_of(str(path), state) == sha("one")
    path.write_text("three")
    changed = tracing.state_of(str(path))
    assert changed is not None and tracing.sha256_of(str(path), changed) == sha("three")


def test_a_thousand_files_are_recorded_and_more_are_said(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    for number in range(1_005):
        (tmp_path / "project" / f"{number:04}.txt").write_text(str(number))
    result = went_well(step(tmp_path, "for n in range(1005): open(f'{n:04}.txt').read()").run())
    assert len(result.inputs) == 1_000
    assert result.inputs[-1].path.endswith("/0999.txt")
    assert result.warnings == ["It read more than 1,000 files; only the first are recorded."]


def test_what_the_shared_cells_read_is_every_runs_input(tmp_path: Path) -> None:
    version = Version(tmp_path)
    for name in ("base", "1", "2"):
        (version.live / "data" / name).write_text(name)
    notebook = step(
        tmp_path,
        "rate = 1",
        "base = open('data/base').read()",
        "open(f'data/{rate}').read()",
        extras=version.extras(),
        prefix=2,
        varied=["rate"],
    )
    for rate in (1, 2):
        result = went_well(notebook.run(parameters={"rate": rate}))
        assert result.kernel_start == "shared", result.kernel_reason
        assert result.inputs == [as_read("data/base", "base"), as_read(f"data/{rate}", str(rate))]


def test_the_hook_leaves_a_notebook_alone(tmp_path: Path) -> None:
    code = (
        "import os, sys\nbefore = set(globals())\n"
        "class Odd:\n    def __fspath__(self): raise RuntimeError('odd')\n"
        "for bad in (Odd(), '\\0', 'absent', 99):\n    try:\n        open(bad)\n"
        "    except Exception as error:\n        print(type(error).__name__)\n"
        "print(sorted(name for name in before if 'mlops' in name or name == 'watch'))"
    )
    notebook = step(tmp_path, code)
    assert notebook.texts() == ["RuntimeError\nValueError\nFileNotFoundError\nOSError\n[]\n"]
    assert notebook.executed().cells[0].execution_count == 1


# -- code -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", STARTS)
def test_the_code_of_a_version_is_known_by_its_path_there(tmp_path: Path, start: str) -> None:
    version = Version(tmp_path)
    files = {"helper.py": "import pack.part\n", "pack/__init__.py": "", "pack/part.py": "X = 1\n", "unused.py": "1\n"}
    for root in (version.project, version.live):
        for name, text in files.items():
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text(text)
    (version.live / "helper.py").write_text("raise RuntimeError('not the version')")
    (version.live / "linked").mkdir()
    (version.live / "linked" / "loose.py").write_text("Y = 2\n")
    (version.project / "linked").symlink_to(version.live / "linked")
    installed = version.project / ".venv/lib/python3/site-packages"
    installed.mkdir(parents=True)
    (installed / "package_x.py").write_text("")
    code = f"import json, helper, linked.loose, sys\nsys.path.append({str(installed)!r})\nimport package_x"
    result = went_well(step(tmp_path, code, extras=version.extras(), kernel_start=start).run())
    assert result.code == {
        **{name: sha(text) for name, text in files.items() if name != "unused.py"},
        "linked/loose.py": sha("Y = 2\n"),
    }
    assert result.inputs == []


@pytest.mark.parametrize("start", STARTS)
def test_the_code_of_an_ordinary_run_is_what_lies_in_its_work_tree(tmp_path: Path, start: str) -> None:
    top = tmp_path / "tree"
    (top / "notebooks").mkdir(parents=True)
    (top / "common.py").write_text("A = 1\n")
    (top / "notebooks" / "beside.py").write_text("B = 1\n")
    (tmp_path / "foreign.py").write_text("C = 1\n")
    subprocess.run(["git", "init", "-q", str(top)], check=True)
    code = f"import sys, beside\nsys.path += [{str(top)!r}, {str(tmp_path)!r}]\nimport common, foreign, pandas"
    result = run(tmp_path, code, folder=str(top / "notebooks"), kernel_start=start)
    expected = {str(top / "common.py"): sha("A = 1\n"), str(top / "notebooks" / "beside.py"): sha("B = 1\n")}
    assert went_well(result).code == expected


def test_modules_imported_by_shared_cells_are_every_runs_code(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "helper.py").write_text("X = 1\n")
    notebook = step(tmp_path, "rate = 1", "import helper", "print(rate)", prefix=2, varied=["rate"])
    for rate in (1, 2):
        result = went_well(notebook.run(parameters={"rate": rate}))
        assert result.kernel_start == "shared", result.kernel_reason
        assert result.code == {str(tmp_path / "project" / "helper.py"): sha("X = 1\n")}


def test_a_module_of_a_version_may_change_what_is_imported_after_it(tmp_path: Path) -> None:
    """What is imported before the fork is only what a fresh kernel would have got, in a version's folder, too."""
    version = Version(tmp_path)
    package = version.project / "steps"
    package.mkdir()
    (version.project / "setup_paths.py").write_text("import sys\nsys.path.insert(0, '/elsewhere')\n")
    extras = version.extras(env={"PYTHONPATH": str(version.project)})
    code = "import setup_paths\nimport wave\nimport os\nprint(wave.__file__.count('elsewhere'), os.getcwd())"
    notebook = step(tmp_path, code, extras=extras, folder=str(package))
    assert notebook.texts() == [f"0 {package}\n"]


@pytest.mark.parametrize("where", ["project", "folder"])
def test_a_file_that_hides_an_installed_module_is_seen(tmp_path: Path, where: str) -> None:
    version = Version(tmp_path)
    folder = version.project / "steps"
    folder.mkdir()
    extras = version.extras(env={"PYTHONPATH": str(version.project)})
    code = "import nbclient\nprint(nbclient.__file__)"
    notebook = step(tmp_path, code, extras=extras, folder=str(folder))
    assert went_well(notebook.run()).kernel_start == "warm"
    hiding = (version.project if where == "project" else folder) / "nbclient.py"
    hiding.write_text("")
    assert notebook.texts() == [f"{hiding}\n"]


def test_a_run_without_extras_records_no_inputs(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "a.txt").write_text("a")
    result = went_well(run(tmp_path, "open('a.txt').read()"))
    assert (result.inputs, result.code) == ([], {})
    assert went_well(step(tmp_path, "open('a.txt').read()", extras=RunExtras()).run()).inputs != []
