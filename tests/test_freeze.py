"""Freezing what a version holds, from real folders and real git."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import write_notebook

from jupyter_mlops.core.errors import InvalidInputError
from jupyter_mlops.services.git import commit_of, diff_of, top_of
from jupyter_mlops.services.pipelines.freeze import MOST_FILES, collect, project_root


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def kept() -> dict[str, bytes]:
    return {}


@pytest.fixture
def put(kept: dict[str, bytes]) -> Callable[[bytes], str]:
    def keep(data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        kept[digest] = data
        return digest

    return keep


def write(root: Path, **texts: str) -> None:
    for name, text in texts.items():
        file = root / name.replace("__", "/", 1).replace("_py", ".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_project_is_the_work_tree_within_the_servers_root(tmp_path: Path) -> None:
    file = write_notebook(tmp_path / "work" / "nb" / "a.ipynb", "a = 1")
    assert project_root(file, None) == file.parent
    git(tmp_path / "work", "init", "-q")
    assert project_root(file, None) == tmp_path / "work"
    assert project_root(file, tmp_path) == tmp_path / "work"
    assert project_root(file, tmp_path / "work") == tmp_path / "work"
    assert project_root(file, tmp_path / "work" / "nb") == file.parent
    (tmp_path / "link").symlink_to(tmp_path / "work")
    assert project_root(tmp_path / "link" / "nb" / "a.ipynb", tmp_path) == tmp_path / "link"
    (tmp_path / "inner").symlink_to(tmp_path / "work" / "nb")
    assert project_root(tmp_path / "inner" / "a.ipynb", None) == tmp_path / "inner"


def test_code_that_is_read_and_code_that_was_seen_are_frozen(
    tmp_path: Path, put: Callable[[bytes], str], kept: dict[str, bytes]
) -> None:
    write_notebook(tmp_path / "train.ipynb", "import helpers", "import importlib; importlib.import_module(input())")
    write(tmp_path, helpers_py="import lib.deep", lib__deep_py="x = 1", plugin_py="y = 2", unused_py="z = 3")
    (tmp_path / ".venv/lib/python3.11/site-packages").mkdir(parents=True)
    (tmp_path / ".venv/lib/python3.11/site-packages/six.py").write_text("")
    seen = {
        "plugin.py": sha("y = 2"),
        "helpers.py": sha("as it was"),
        "gone.py": sha(""),
        str(tmp_path / "lib/deep.py"): sha("x = 1"),
        "/opt/shared/tool.py": sha(""),
        ".venv/lib/python3.11/site-packages/six.py": sha(""),
    }
    frozen = collect(tmp_path, ["train.ipynb"], put, seen=seen)
    assert list(frozen.files) == ["helpers.py", "lib/deep.py", "plugin.py", "train.ipynb"]
    assert {path: kept[digest] for path, digest in frozen.files.items()} == {
        path: (tmp_path / path).read_bytes() for path in frozen.files
    }
    assert frozen.data == [] and frozen.git_commit == "" and frozen.git_diff == ""
    assert frozen.warnings == [
        "train.ipynb: what importlib.import_module() imports is known only when it runs.",
        "/opt/shared/tool.py was imported by the run but lies outside the project, so that it is not frozen; "
        "move it into the project, or install it as a package.",
        "helpers.py was changed since the run; it is frozen as it is now.",
        "gone.py was imported by the run but is not there any more, so that it is not frozen.",
    ]


def test_a_notebook_as_a_run_had_it_is_frozen_in_place_of_the_present_one(
    tmp_path: Path, put: Callable[[bytes], str]
) -> None:
    then = write_notebook(tmp_path / "train.ipynb", "import old").read_bytes()
    write_notebook(tmp_path / "train.ipynb", "import new")
    write(tmp_path, old_py="", new_py=" ")
    frozen = collect(tmp_path, ["train.ipynb"], put, contents={"sub/../train.ipynb": then})
    assert list(frozen.files) == ["old.py", "train.ipynb"]
    assert frozen.files["train.ipynb"] == hashlib.sha256(then).hexdigest()


def test_chosen_data_is_frozen(tmp_path: Path, put: Callable[[bytes], str]) -> None:
    write_notebook(tmp_path / "nb" / "train.ipynb", "import near")
    write(tmp_path, nb__near_py="")
    for name in ("data/a.csv", "data/deep/b.csv", "data/__pycache__/c.csv", "nb/own.csv", "data/d.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "data" / "loop").symlink_to(tmp_path / "data")
    patterns = ["../data/**/*.csv", "own.csv", "near.py", "*.absent", "../../x/*.csv", str(tmp_path / "data/d.txt")]
    frozen = collect(tmp_path, ["nb/train.ipynb"], put, patterns=patterns, folder="nb")
    assert frozen.data == ["data/a.csv", "data/d.txt", "data/deep/b.csv", "nb/own.csv"]
    assert set(frozen.files) == {*frozen.data, "nb/near.py", "nb/train.ipynb"}
    assert frozen.warnings == [
        "No file is named as *.absent, which was to be frozen.",
        "Nothing of ../../x/*.csv is frozen, because it lies outside the project.",
    ]
    with pytest.raises(InvalidInputError, match="is no pattern of files"):
        collect(tmp_path, ["nb/train.ipynb"], put, patterns=["a**b"])


def test_too_much_is_refused_before_anything_is_kept(
    tmp_path: Path, put: Callable[[bytes], str], kept: dict[str, bytes]
) -> None:
    write_notebook(tmp_path / "train.ipynb", "open('big.sql')")
    with (tmp_path / "big.sql").open("wb") as file:
        file.truncate(201_000_000)
    with pytest.raises(InvalidInputError, match=r"code takes 201 MB, more than the 200 MB.*big\.sql \(201 MB\)"):
        collect(tmp_path, ["train.ipynb"], put)
    (tmp_path / "big.sql").unlink()
    for number in range(6):
        with (tmp_path / f"{number}.bin").open("wb") as file:
            file.truncate(899_000_000)
    with pytest.raises(InvalidInputError, match="data to be frozen takes 5,394 MB, more than the 5,000 MB"):
        collect(tmp_path, ["train.ipynb"], put, patterns=["*.bin"])
    with (tmp_path / "0.bin").open("wb") as file:
        file.truncate(901_000_000)
    with pytest.raises(InvalidInputError, match=r"0\.bin takes 901 MB, more than the 900 MB that one file"):
        collect(tmp_path, ["train.ipynb"], put, patterns=["0.bin"])
    (tmp_path / "many").mkdir()
    for number in range(MOST_FILES + 1):
        os.link(tmp_path / "train.ipynb", tmp_path / "many" / str(number))
    with pytest.raises(InvalidInputError, match="More than 20,000 files"):
        collect(tmp_path, ["train.ipynb"], put, patterns=["many"])
    assert kept == {}


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that nobody can read from its beginning")
def test_what_cannot_be_read_is_said(tmp_path: Path, put: Callable[[bytes], str]) -> None:
    write_notebook(tmp_path / "train.ipynb", "import helpers")
    (tmp_path / "helpers.py").symlink_to("/proc/self/mem")
    frozen = collect(tmp_path, ["train.ipynb"], put)
    assert list(frozen.files) == ["train.ipynb"]
    assert frozen.warnings == ["helpers.py is not frozen, because it cannot be read: Input/output error."]


def test_secrets_and_missing_notebooks(tmp_path: Path, put: Callable[[bytes], str], kept: dict[str, bytes]) -> None:
    write_notebook(tmp_path / "train.ipynb", "%%bash\nsource .env")
    (tmp_path / ".env").write_text("TOKEN=hunter2")
    frozen = collect(tmp_path, ["train.ipynb"], put)
    assert list(frozen.files) == ["train.ipynb"]
    assert frozen.warnings == [".env is not frozen but read where it lies, as it may hold secrets."]
    assert not any(b"hunter2" in data for data in kept.values())
    for path in ("gone.ipynb", "../outside.ipynb"):
        with pytest.raises(InvalidInputError, match="There is no notebook"):
            collect(tmp_path, [path], put)


def test_commit_and_difference_are_kept(
    tmp_path: Path, put: Callable[[bytes], str], kept: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "work" / "sub"
    write_notebook(project / "train.ipynb", "import helpers")
    write(project, helpers_py="x = 1\n")
    (tmp_path / "work" / "beside.txt").write_text("1")
    git(tmp_path / "work", "init", "-q")
    assert commit_of(project) == "" and diff_of(project, 100) == b""
    git(tmp_path / "work", "add", ".")
    git(tmp_path / "work", "commit", "-q", "-m", "first")
    commit = git(project, "rev-parse", "HEAD")
    frozen = collect(project, ["train.ipynb"], put)
    assert frozen.git_commit == commit and frozen.git_diff == ""

    write(project, helpers_py="x = 2\n")
    (tmp_path / "work" / "beside.txt").write_text("2")
    (project / "binary.dat").write_bytes(b"\0\1")
    git(project, "add", "binary.dat")
    # as in a hook of another repository
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    frozen = collect(project, ["train.ipynb"], put)
    monkeypatch.delenv("GIT_DIR")
    assert frozen.git_commit == commit + "+"
    diff = kept[frozen.git_diff]
    assert b"-x = 1\n+x = 2\n" in diff and b"GIT binary patch" in diff and b"beside" not in diff
    git(project, "reset", "-q", "--hard")
    subprocess.run(["git", "apply"], cwd=project, input=diff, check=True)
    assert (project / "helpers.py").read_text() == "x = 2\n"

    (project / "helpers.py").write_text("# long\n" * 300_000)
    frozen = collect(project, ["train.ipynb"], put)
    assert frozen.git_diff == ""
    assert frozen.warnings == ["What is different from git's commit is more than 1 MB and was not kept; the code is."]


def test_without_git_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(tmp_path, "init", "-q")
    assert top_of(tmp_path) == tmp_path
    monkeypatch.setenv("PATH", "")
    assert top_of(tmp_path) is None and commit_of(tmp_path) == "" and diff_of(tmp_path, 10) == b""
