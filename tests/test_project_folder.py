"""The folder a version runs in: frozen files, links to all else, and what comes back from it."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from conftest import wait_until

from jupyter_mlops.core.errors import NotFoundError, UnavailableError
from jupyter_mlops.services.pipelines import file_mover as moving
from jupyter_mlops.services.pipelines import project
from jupyter_mlops.services.pipelines.project import ProjectFolder
from jupyter_mlops.services.pipelines.safe_paths import digest_of


class Case:
    """A live project, blobs of what was frozen of it, and the folder made for it."""

    def __init__(self, root: Path, live: Path) -> None:
        self.root = root
        self.live = live
        self.blobs: dict[str, bytes] = {}
        self.files: dict[str, str] = {}
        self.data: list[str] = []
        self.own: Path | None = None

    def write(self, path: str, text: str = "") -> Path:
        file = self.live / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def freeze(self, path: str, text: str | None = None, *, data: bool = False) -> None:
        content = (self.live / path).read_bytes() if text is None else text.encode()
        if text is not None:
            self.write(path, text)
        digest = hashlib.sha256(content).hexdigest()
        self.blobs[digest] = content
        self.files[path] = digest
        if data:
            self.data.append(path)

    def blob(self, digest: str) -> bytes:
        if digest not in self.blobs:
            raise NotFoundError("gone")
        return self.blobs[digest]

    @property
    def folder(self) -> ProjectFolder:
        return ProjectFolder(self.root / "made" / "project", self.live, self.files, self.data, self.blob, own=self.own)

    @property
    def path(self) -> Path:
        return self.folder.path

    @property
    def asides(self) -> Path:
        return self.root / "made" / "project-state" / "asides"


@pytest.fixture
def case(tmp_path: Path) -> Case:
    made = Case(tmp_path, tmp_path / "deep" / "er" / "work")
    made.live.mkdir(parents=True)
    made.freeze("nb/train.ipynb", "{}")
    made.freeze("nb/helpers.py", "x = 1\n")
    made.freeze("lib/sql/query.sql", "select 1")
    made.write("data/x.csv", "1,2")
    made.write("nb/own.csv", "3")
    made.write(".git/HEAD", "ref")
    made.write("README.md", "read me")
    return made


def python(code: str, cwd: Path) -> str:
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, check=True, capture_output=True, text=True).stdout


# -- made ------------------------------------------------------------------------------------


def test_code_is_as_it_was_and_inputs_are_as_they_are(case: Case) -> None:
    assert case.folder.make() == []
    case.write("nb/helpers.py", "x = 2\n")
    case.write("data/x.csv", "5,6")
    code = (
        "import helpers; "
        "print(helpers.x, *(open(name).read() for name in ('../data/x.csv', 'own.csv', '../.git/HEAD')))"
    )
    assert python(code, case.path / "nb").split() == ["1", "5,6", "3", "ref"]
    for path in case.files:
        assert (case.path / path).is_file() and not (case.path / path).is_symlink()
        assert stat.S_IMODE((case.path / path).stat().st_mode) == 0o444
    for folder in ("", "nb", "lib", "lib/sql"):
        assert not (case.path / folder).is_symlink()
    for path in ("data", ".git", "README.md", "nb/own.csv"):
        assert os.readlink(case.path / path) == str(case.live / path)
    assert case.folder.import_paths == [str(case.path / "nb")]


def test_paths_lead_out_of_the_project_as_they_do_there(case: Case) -> None:
    (case.live.parent / "shared").mkdir()
    (case.live.parent / "shared" / "a.csv").write_text("shared")
    (case.live.parent.parent / "raw.csv").write_text("raw")
    case.folder.make()
    code = "print(open('../../shared/a.csv').read(), open('../../../raw.csv').read()); open('../../made.csv', 'w')"
    assert python(code, case.path / "nb").split() == ["shared", "raw"]
    assert case.folder.bring_back() == []
    assert (case.live.parent / "made.csv").is_file()


def test_what_comes_and_goes_in_the_project_comes_and_goes_here(case: Case) -> None:
    case.folder.make()
    case.write("nb/new.csv", "new")
    case.write("later/y.csv", "y")
    (case.live / "nb/own.csv").unlink()
    shutil.rmtree(case.live / "data")
    case.write("nb/__pycache__/helpers.pyc", "")
    case.folder.make()
    assert (case.path / "nb/new.csv").read_text() == "new" and (case.path / "later/y.csv").read_text() == "y"
    assert sorted(os.listdir(case.path / "nb")) == ["helpers.py", "new.csv", "train.ipynb"]
    assert not os.path.lexists(case.path / "data")


def test_a_live_file_does_not_take_the_place_of_a_frozen_one(case: Case) -> None:
    (case.live / "nb/helpers.py").unlink()
    shutil.rmtree(case.live / "lib")
    case.folder.make()
    case.write("nb/helpers.py", "x = 3\n")
    (case.live / "lib").write_text("a file by now")
    case.folder.make()
    assert (case.path / "nb/helpers.py").read_text() == "x = 1\n"
    assert (case.path / "lib/sql/query.sql").read_text() == "select 1"
    assert case.folder.bring_back() == []
    assert (case.live / "nb/helpers.py").read_text() == "x = 3\n" and (case.live / "lib").is_file()


def test_a_project_that_is_gone_leaves_the_frozen_files(case: Case) -> None:
    case.folder.make()
    shutil.rmtree(case.live)
    case.folder.make()
    found = [str(path.relative_to(case.path)) for path in case.path.rglob("*") if not path.is_dir()]
    assert sorted(found) == sorted(case.files)
    (case.path / "nb/left.csv").write_text("left")
    (said,) = case.folder.bring_back()
    assert said == f"{case.live} is gone; what was left (left.csv) stays in {case.path}."
    assert (case.path / "nb/left.csv").read_text() == "left" and not case.live.exists()
    case.live.mkdir()
    assert case.folder.bring_back() == []
    assert (case.live / "nb/left.csv").read_text() == "left"


def test_changed_frozen_files_are_restored_and_what_they_became_is_kept(case: Case) -> None:
    case.folder.make()
    helpers, query = case.path / "nb/helpers.py", case.path / "lib/sql/query.sql"
    python("import helpers", case.path / "nb")
    helpers.unlink()
    helpers.write_text("x = 9\n")
    query.chmod(0o666)
    (case.path / "nb/train.ipynb").unlink()
    (case.path / "nb/train.ipynb").mkdir()
    (case.path / "nb/train.ipynb/inner").write_text("inner")
    said = case.folder.make()
    assert [line.partition(";")[0] for line in said] == [
        "train.ipynb is frozen, but a step changed it",
        "helpers.py is frozen, but a step changed it",
    ]
    kept = {Path(line.partition("what it made is ")[2].rstrip(".")) for line in said}
    assert sorted(path.name for path in kept) == ["helpers.py", "train.ipynb"]
    assert {path.read_text() for path in kept if path.is_file()} == {"x = 9\n"}
    assert python("import helpers; print(helpers.x)", case.path / "nb") == "1\n"
    assert stat.S_IMODE(query.stat().st_mode) == 0o444
    assert case.folder.make() == []


def test_a_folder_that_a_step_replaced_by_a_link_harms_nothing_behind_it(case: Case) -> None:
    case.folder.make()
    case.write("lib/sql/query.sql", "select 2")
    shutil.rmtree(case.path / "lib")
    (case.path / "lib").symlink_to(case.live / "lib")
    assert case.folder.bring_back() == []
    assert (case.live / "lib/sql/query.sql").read_text() == "select 2"
    assert (case.path / "lib/sql/query.sql").read_text() == "select 1"


def test_programs_can_be_started_by_their_names(case: Case) -> None:
    case.freeze("nb/go.sh", "#!/bin/sh\necho gone\n")
    case.folder.make()
    done = subprocess.run(["./go.sh"], cwd=case.path / "nb", check=True, capture_output=True, text=True)
    assert done.stdout == "gone\n"


def test_frozen_data_is_a_copy_that_is_read_again_only_where_it_was_touched(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def counted(file: Path) -> str:
        read.append(file.name)
        return digest_of(file)

    monkeypatch.setattr(project, "digest_of", counted)
    case.freeze("data/big.bin", "then", data=True)
    case.folder.make()
    case.write("data/big.bin", "now")
    big = case.path / "data/big.bin"
    assert case.folder.make() == [] and "big.bin" not in read and "helpers.py" in read
    assert big.read_text() == "then" and (case.path / "data/x.csv").is_symlink()
    os.utime(big, (1, 1))
    assert case.folder.make() == [] and read.count("big.bin") == 1
    big.chmod(0o644)
    big.write_text("evil")
    big.chmod(0o444)
    os.utime(big, (1, 1))
    assert len(case.folder.make()) == 1
    assert big.read_text() == "then"


def test_what_the_store_lacks_or_damaged_is_said(case: Case) -> None:
    digest = case.files["nb/helpers.py"]
    case.blobs[digest] = b"something else"
    with pytest.raises(UnavailableError, match=r"The store's copy of helpers\.py is damaged"):
        case.folder.make()
    del case.blobs[digest]
    with pytest.raises(NotFoundError):
        case.folder.make()
    (case.root / "file").write_text("")
    with pytest.raises(UnavailableError, match="cannot be made"):
        ProjectFolder(case.root / "file" / "project", case.live, {}, [], case.blob).make()


def test_a_folder_of_our_own_within_the_project_is_not_shown_in_itself(case: Case) -> None:
    case.own = case.live / "data" / "mlops"
    case.root = case.own
    (case.own / "store.sqlite").parent.mkdir()
    (case.own / "store.sqlite").write_text("")
    case.folder.make()
    assert os.listdir(case.path / "data") == ["x.csv"]
    (case.path / "data" / "made.csv").write_text("made")
    case.folder.bring_back()
    assert (case.live / "data/made.csv").read_text() == "made"


# -- brought back ----------------------------------------------------------------------------


def test_new_files_and_folders_come_to_the_project(case: Case) -> None:
    case.folder.make()
    code = (
        "import os, helpers; open('made.csv', 'w').write('made'); os.makedirs('out/deep'); "
        "open('out/deep/a.txt', 'w').write('a'); os.makedirs('out/__pycache__'); open('out/__pycache__/b.pyc', 'w'); "
        "os.makedirs('.ipynb_checkpoints'); open('../top.txt', 'w').write('top'); os.symlink('made.csv', 'latest'); "
        "os.symlink(os.path.abspath('made.csv'), 'whole')"
    )
    python(code, case.path / "nb")
    assert case.folder.bring_back() == []
    assert (case.live / "nb/made.csv").read_text() == "made" and (case.live / "top.txt").read_text() == "top"
    assert (case.live / "nb/out/deep/a.txt").read_text() == "a"
    assert os.readlink(case.live / "nb/latest") == "made.csv"
    assert (case.live / "nb/whole").resolve() == case.live / "nb/made.csv"
    assert os.listdir(case.live / "nb/out") == ["deep"]
    assert sorted(os.listdir(case.live / "nb")) == sorted(
        ["helpers.py", "latest", "made.csv", "out", "own.csv", "train.ipynb", "whole"]
    )
    # the next step finds them where this one left them
    assert (case.path / "nb/out/deep/a.txt").read_text() == "a" and (case.path / "nb/out").is_symlink()
    assert (case.path / "nb/made.csv").is_symlink() and not os.path.lexists(case.path / "nb/__pycache__")
    assert case.folder.bring_back() == []
    assert list(case.asides.iterdir()) == []


def test_what_is_written_through_a_link_is_in_the_project_at_once(case: Case) -> None:
    case.folder.make()
    (case.path / "nb/own.csv").write_text("4")
    (case.path / "data/new.csv").write_text("5")
    assert (case.live / "nb/own.csv").read_text() == "4" and (case.live / "data/new.csv").read_text() == "5"
    assert case.folder.bring_back() == []


def test_a_file_that_took_a_links_place_takes_the_files(case: Case) -> None:
    case.folder.make()
    python("import os; open('t', 'w').write('6'); os.replace('t', 'own.csv')", case.path / "nb")
    assert (case.live / "nb/own.csv").read_text() == "3"
    assert case.folder.bring_back() == []
    assert (case.live / "nb/own.csv").read_text() == "6" and (case.path / "nb/own.csv").is_symlink()


def test_a_renamed_link_renames_the_file(case: Case) -> None:
    case.folder.make()
    python("import os; os.rename('own.csv', 'done.csv')", case.path / "nb")
    assert case.folder.bring_back() == []
    assert (case.live / "nb/done.csv").read_text() == "3" and not (case.live / "nb/done.csv").is_symlink()
    assert not os.path.lexists(case.live / "nb/own.csv")
    case.folder.make()
    assert (case.path / "nb/done.csv").read_text() == "3" and not os.path.lexists(case.path / "nb/own.csv")


def test_what_would_destroy_something_stays_where_it_is_and_is_said(case: Case) -> None:
    case.write("nb/out/kept.txt", "kept")
    case.folder.make()
    (case.path / "nb/out").unlink()
    (case.path / "nb/out").write_text("a file")
    (case.path / "nb/own.csv").unlink()
    (case.path / "nb/own.csv").mkdir()
    said = case.folder.bring_back()
    assert sorted(said) == [
        f"out could not be moved to {case.live}/nb/out (there is a folder of that name); it stays in "
        f"{case.path}/nb/out.",
        f"own.csv could not be moved to {case.live}/nb/own.csv (there is a file of that name); it stays in "
        f"{case.path}/nb/own.csv.",
    ]
    assert (case.live / "nb/out/kept.txt").read_text() == "kept" and (case.live / "nb/own.csv").read_text() == "3"
    assert (case.path / "nb/out").read_text() == "a file"
    # and stays there for good
    case.folder.make()
    assert (case.path / "nb/out").read_text() == "a file"


def test_folders_grow_together(case: Case) -> None:
    case.folder.make()
    (case.path / "nb/out").mkdir()
    (case.path / "nb/out/a.txt").write_text("a")
    case.write("nb/out/b.txt", "b")
    assert case.folder.bring_back() == []
    assert sorted(os.listdir(case.live / "nb/out")) == ["a.txt", "b.txt"]


def test_what_is_still_written_waits(case: Case) -> None:
    case.folder.make()
    with (case.path / "nb/slow.csv").open("w") as file:
        (said,) = case.folder.bring_back()
        assert "slow.csv could not be moved" in said and "slow.csv is still being written" in said
        file.write("slow")
    assert case.folder.bring_back() == []
    assert (case.live / "nb/slow.csv").read_text() == "slow"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system."""
    other = Path("/dev/shm") / uuid4().hex
    if not os.access("/dev/shm", os.W_OK) or Path("/dev/shm").stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other file system to write to")
    other.mkdir()
    yield other
    shutil.rmtree(other)


def test_a_project_on_another_disk(tmp_path: Path, elsewhere: Path) -> None:
    case = Case(tmp_path, elsewhere / "a" / "b" / "work")
    case.live.mkdir(parents=True)
    case.freeze("train.ipynb", "{}")
    case.write("x.csv", "old")
    case.folder.make()
    (case.path / "out").mkdir()
    (case.path / "out/a.txt").write_text("a")
    (case.path / "x.csv").unlink()
    (case.path / "x.csv").write_text("new")
    with (case.path / "out/b.txt").open("w") as file:
        (said,) = case.folder.bring_back()
        assert "b.txt is still being written" in said
        file.write("b")
    assert case.folder.bring_back() == []
    assert (case.live / "x.csv").read_text() == "new" and (case.path / "x.csv").is_symlink()
    assert {path.name: path.read_text() for path in (case.live / "out").iterdir()} == {"a.txt": "a", "b.txt": "b"}
    (case.path / "gone.txt").write_text("gone")
    (case.live / "gone.txt").mkdir()
    assert len(case.folder.bring_back()) == 1 and (case.path / "gone.txt").read_text() == "gone"


def test_where_names_cannot_change_places_at_once(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    # as on systems without renameat2
    monkeypatch.setattr(moving, "_exchange", lambda one, other: False)
    case.folder.make()
    (case.path / "nb/out").mkdir()
    (case.path / "nb/out/a.txt").write_text("a")
    assert case.folder.bring_back() == []
    assert (case.live / "nb/out/a.txt").read_text() == "a" and (case.path / "nb/out").is_symlink()


def test_what_a_killed_process_had_begun_is_finished(case: Case) -> None:
    case.folder.make()
    for name, text in (("new.txt", "new"), ("own.csv", "older")):
        aside = case.asides / name
        aside.mkdir()
        (aside / "to").write_text(f"er/work/nb/{name}")
        (aside / "what").write_text(text)
        os.utime(aside / "what", (1, 1))
    assert case.folder.bring_back() == []
    assert (case.live / "nb/new.txt").read_text() == "new"
    assert (case.live / "nb/own.csv").read_text() == "3"
    assert list(case.asides.iterdir()) == []


# -- at once ---------------------------------------------------------------------------------

_MAKE = """
import sys, hashlib
from pathlib import Path
from jupyter_mlops.services.pipelines.project import ProjectFolder
root, live, *files = sys.argv[1:]
contents = {name: (Path(root) / 'blobs' / name).read_bytes() for name in files}
blobs = {hashlib.sha256(data).hexdigest(): data for data in contents.values()}
named = {name: digest for (name, data) in contents.items() for digest in [hashlib.sha256(data).hexdigest()]}
folder = ProjectFolder(Path(root) / 'made' / 'project', Path(live), named, [], blobs.__getitem__)
for _ in range(20):
    said = folder.make()
    assert not said, said
    for name, digest in named.items():
        assert hashlib.sha256((folder.path / name).read_bytes()).hexdigest() == digest
"""


def test_several_processes_make_it_at_once(tmp_path: Path) -> None:
    live = tmp_path / "a" / "b" / "live"
    names = [f"{number}.py" for number in range(30)]
    for folder in (live, tmp_path / "blobs"):
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).write_text(f"frozen {name}")
    for name in names:
        (live / name).write_text("live")
    command = [sys.executable, "-c", _MAKE, str(tmp_path), str(live), *names]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    ended = [(process.communicate()[1], process.returncode) for process in running]
    assert ended == [("", 0)] * 4


_WRITE = """
import os, sys, time
for number in range(int(sys.argv[1])):
    time.sleep(0.002)
    if number == int(sys.argv[1]) // 2:
        input()
    with open(f'plain-{number}.txt', 'w') as file:
        file.write(f'plain {number}')
    os.makedirs('out', exist_ok=True)
    with open(f'out/{number}.txt', 'w') as file:
        file.write(f'out {number}')
    with open('state.tmp', 'w') as file:
        file.write(f'state {number}')
    os.replace('state.tmp', 'state.txt')
    with open('log.txt', 'a') as file:
        file.write(f'{number}\\n')
"""


def test_nothing_is_lost_while_one_step_writes_and_others_end(case: Case) -> None:
    count = 400
    case.folder.make()
    command = [sys.executable, "-c", _WRITE, str(count)]
    writer = subprocess.Popen(command, cwd=case.path / "nb", stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    over = threading.Event()
    said: list[str] = []
    rounds: list[int] = []

    def end_steps() -> None:
        while not over.is_set():
            case.folder.make()
            rounds.append(len(os.listdir(case.live / "nb")))
            said.extend(case.folder.bring_back())
            time.sleep(0.001)

    with ThreadPoolExecutor(2) as pool:
        ending = [pool.submit(end_steps) for _ in range(2)]
        try:
            # files come in the midst of it
            wait_until(lambda: len(set(rounds)) > 1, 180, lambda: rounds[-3:])
            _, errors = writer.communicate(b"\n", timeout=120)
        finally:
            over.set()
            writer.kill()
        for future in ending:
            future.result()
    assert (writer.returncode, errors) == (0, b"")
    assert case.folder.bring_back() == []
    nb = case.live / "nb"
    for number in range(count):
        assert (nb / f"plain-{number}.txt").read_text() == f"plain {number}"
        assert (nb / "out" / f"{number}.txt").read_text() == f"out {number}"
    assert (nb / "state.txt").read_text() == f"state {count - 1}"
    assert (nb / "log.txt").read_text().split() == [str(number) for number in range(count)]
    assert [line for line in said if "is still being written" not in line] == []
    assert not os.path.lexists(nb / "state.tmp")
