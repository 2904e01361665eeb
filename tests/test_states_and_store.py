"""The law of the store, on each back end: moves, attempts, epochs, revisions; the disk under a SQLite file."""

from __future__ import annotations

import itertools
import math
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from postgresql_helpers import new_url

from jupyter_mlops.core.errors import ConflictError, NotFoundError
from jupyter_mlops.core.lenient import decode, encode, is_supported
from jupyter_mlops.core.messages import Message
from jupyter_mlops.core.pipelines.records import StepRun
from jupyter_mlops.core.record import now
from jupyter_mlops.core.runs import Run, RunError
from jupyter_mlops.core.states import (
    RUN_LIVE,
    RUN_MOVES,
    RUN_OVER,
    SWEEP_LIVE,
    SWEEP_MOVES,
    SWEEP_OVER,
    Reason,
    RunState,
    SweepState,
)
from jupyter_mlops.core.sweeps import Objective, Sweep, SweepRequest
from jupyter_mlops.services.process.disk import network_filesystem, store_bytes, store_warnings
from jupyter_mlops.store import StaleEpochError, Store

NUMBERS = itertools.count()


def new_sweep(store: Store, path: str = "/work/a.ipynb", **fields: Any) -> Sweep:
    number = next(NUMBERS)
    sweep = Sweep(id=f"sweep{number}", name="a", path=path, notebook_hash="h", created_at=now(), **fields)
    return store.sweeps.create(sweep, b"{}")


def new_runs(store: Store, sweep: Sweep, count: int = 1, **fields: Any) -> list[Run]:
    first = sweep.planned
    made = [Run(id=f"{sweep.id}-{first + i}", sweep_id=sweep.id, index=first + i, **fields) for i in range(count)]
    store.runs.add(sweep.id, made)
    return made


# -- moves ---------------------------------------------------------------------------------------

RUN_PAIRS = list(itertools.product(RunState, RunState))
SWEEP_PAIRS = list(itertools.product(SweepState, SweepState))


def test_every_state_has_its_row() -> None:
    assert set(RUN_MOVES) == set(RunState)
    assert set(SWEEP_MOVES) == set(SweepState)
    assert RUN_OVER.isdisjoint(RUN_LIVE)
    assert set(SWEEP_LIVE) | set(SWEEP_OVER) == set(SweepState)
    assert RUN_MOVES[RunState.SUCCEEDED] == frozenset()
    # it is given more runs
    assert SWEEP_MOVES[SweepState.SUCCEEDED] == {SweepState.QUEUED}


@pytest.fixture
def store(any_store: Store) -> Store:
    return any_store


@pytest.fixture(scope="module")
def shared(back_end: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store(new_url(back_end, request, tmp_path_factory.mktemp("shared")))
    yield store
    store.close()


@pytest.mark.parametrize(("before", "after"), RUN_PAIRS)
def test_runs_move_along_the_table_only(shared: Store, before: RunState, after: RunState) -> None:
    sweep = new_sweep(shared)
    (run,) = new_runs(shared, sweep, state=before)
    if after is before or after in RUN_MOVES[before]:
        assert shared.runs.change(run.id, state=after).state is after
        assert shared.sweeps.get(sweep.id).counts == {after.value: 1}
    else:
        with pytest.raises(ConflictError, match=f"A run that is {before} cannot become {after}"):
            shared.runs.change(run.id, state=after)
        assert shared.runs.get(run.id).state is before
        assert shared.sweeps.get(sweep.id).counts == {before.value: 1}


@pytest.mark.parametrize(("before", "after"), SWEEP_PAIRS)
def test_sweeps_move_along_the_table_only(shared: Store, before: SweepState, after: SweepState) -> None:
    sweep = new_sweep(shared, state=before)
    if after is before or after in SWEEP_MOVES[before]:
        assert shared.sweeps.change(sweep.id, state=after).state is after
    else:
        with pytest.raises(ConflictError, match=f"A sweep that is {before} cannot become {after}"):
            shared.sweeps.change(sweep.id, state=after)
        assert shared.sweeps.get(sweep.id) == sweep


def test_compare_and_set(store: Store) -> None:
    sweep = new_sweep(store, state=SweepState.RUNNING)
    (run,) = new_runs(store, sweep)
    with pytest.raises(ConflictError, match="The sweep is running by now"):
        store.sweeps.change(sweep.id, expect=[SweepState.QUEUED], name="b")
    with pytest.raises(ConflictError, match="The run is queued by now"):
        store.runs.change(run.id, expect=[RunState.RUNNING], message="b")
    assert store.sweeps.get(sweep.id).name == "a"
    assert store.sweeps.change(sweep.id, expect=[SweepState.RUNNING], name="b").name == "b"


def test_only_one_of_many_wins_a_move(store: Store) -> None:
    (run,) = new_runs(store, new_sweep(store))
    won: list[int] = []
    barrier = threading.Barrier(8)

    def claim(number: int) -> None:
        barrier.wait()
        try:
            store.runs.change(run.id, expect=[RunState.QUEUED], state=RunState.STARTING, worker=str(number))
        except ConflictError:
            return
        won.append(number)

    together(claim, 8)
    assert [str(number) for number in won] == [store.runs.get(run.id).worker]


def together(function: Callable[[int], None], count: int) -> None:
    threads = [threading.Thread(target=function, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# -- attempts and epochs -------------------------------------------------------------------------


def test_a_late_attempt_is_refused(store: Store) -> None:
    (run,) = new_runs(store, new_sweep(store), state=RunState.RUNNING)
    store.runs.change(run.id, expect_attempt=1, state=RunState.QUEUED, attempt=2)
    before = store.revision()
    with pytest.raises(ConflictError, match="Attempt 1 of this run was given up; attempt 2 counts"):
        store.runs.change(run.id, expect_attempt=1, metrics={"auc": 1.0})
    assert (store.runs.get(run.id).metrics, store.revision()) == ({}, before)


def test_writes_under_an_old_epoch_are_refused(store: Store) -> None:
    sweep = new_sweep(store)
    (run,) = new_runs(store, sweep)
    old = store.leases.acquire("local", "first")
    late = store.under(old)
    late.sweeps.change(sweep.id, name="b")
    new = store.leases.acquire("local", "second")
    elsewhere = store.leases.acquire("tcp://a:1", "third")
    assert (old.number, new.number, elsewhere.number) == (1, 2, 1)
    before = store.revision()
    for write in (
        lambda: late.sweeps.change(sweep.id, name="c"),
        lambda: late.runs.change(run.id, message="c"),
        lambda: late.runs.add(sweep.id, [Run(id="x", sweep_id=sweep.id, index=1)]),
    ):
        with pytest.raises(StaleEpochError, match="“local” was taken over"):
            write()
    assert store.revision() == before
    assert store.under(new).runs.change(run.id, message="c").message == "c"


def test_no_two_hold_one_epoch(store: Store) -> None:
    numbers: list[int] = []
    together(lambda number: numbers.append(store.leases.acquire("local", str(number)).number), 10)
    assert sorted(numbers) == list(range(1, 11))


# -- revisions -----------------------------------------------------------------------------------

WRITER = """
import sys
from jupyter_mlops.store import Store
url, name = sys.argv[1:]
store = Store(url)
for number in range(60):
    store.runs.change(f"{name}-{number % 3}", message=str(number))
    store.sweeps.change(name, message=str(number))
store.close()
"""


def test_no_change_is_missed_by_who_asks_since_a_revision(store: Store, store_url: str) -> None:
    sweeps = [new_sweep(store) for _ in range(4)]
    for sweep in sweeps:
        new_runs(store, sweep, 3)
    code = [sys.executable, "-c", WRITER, store_url]
    processes = [subprocess.Popen([*code, sweep.id]) for sweep in sweeps[:2]]

    def write(number: int) -> None:
        sweep = sweeps[2 + number]
        for message in map(str, range(60)):
            store.runs.change(f"{sweep.id}-{int(message) % 3}", message=message)
            store.sweeps.change(sweep.id, message=message)

    threads = [threading.Thread(target=write, args=[number]) for number in range(2)]
    for thread in threads:
        thread.start()
    known: dict[str, Any] = {}
    since = 0
    while True:
        over = all(process.poll() is not None for process in processes) and not any(t.is_alive() for t in threads)
        revision = store.revision()
        for sweep in store.sweeps.find(since=since):
            known[sweep.id] = sweep
        for sweep in sweeps:
            known |= {run.id: run for run in store.runs.of_sweep(sweep.id, since=since)}
        assert revision >= since
        since = revision
        if over:
            break
        time.sleep(0.005)
    assert [process.returncode for process in processes] == [0, 0]
    # what the reader gathered piece by piece is what there is
    for sweep in sweeps:
        assert known[sweep.id] == store.sweeps.get(sweep.id)
        assert known[sweep.id].message == "59"
        assert [known[run.id] for run in store.runs.of_sweep(sweep.id)] == store.runs.of_sweep(sweep.id)
    # each of the writes took a number of its own
    assert store.revision() == 4 + 4 + 4 * 60 * 2


def test_a_refused_write_takes_no_revision(store: Store) -> None:
    sweep = new_sweep(store)
    new_runs(store, sweep)
    before = store.revision()
    with pytest.raises(ConflictError, match="planned already"):
        store.runs.add(sweep.id, [Run(id="other", sweep_id=sweep.id, index=0)])
    with pytest.raises(NotFoundError):
        store.runs.change("none", message="x")
    assert store.revision() == before
    assert store.sweeps.get(sweep.id).planned == 1


# -- sweeps and runs -----------------------------------------------------------------------------


def test_everything_comes_back_as_it_went_in(store: Store) -> None:
    sweep = new_sweep(store, space={"a": "1:3"}, objective=Objective(metric="auc"), slots=2, max_output=7)
    assert store.sweeps.get(sweep.id) == sweep
    assert store.sweeps.notebook(sweep.id) == b"{}"
    # what a notebook prints
    text = "…\n\u2028 NUL \x00 half \ud83d whole 😀 \\u0000 %s %(a)s :a"
    error = RunError(name="ValueError", message="no", cell=3, traceback=text)
    values = {"a": 1, "b": 0.1, "c": None, "d": [1, {"x": text}], "e": True, text: 2**80}
    (run,) = new_runs(
        store, sweep, parameters=values, error=error, metrics={"auc": 0.1 + 0.2, "inf": math.inf, "nan": math.nan}
    )
    found = store.runs.get(run.id)
    assert (found.parameters, found.error) == (values, error)
    assert list(found.parameters) == list(values)
    assert found.metrics == {"auc": 0.1 + 0.2}
    assert found.not_finite == {"inf": "Infinity", "nan": "NaN"}
    assert found.revision == store.revision() == store.sweeps.get(sweep.id).revision


def test_what_is_not_there(store: Store) -> None:
    for ask in (
        store.sweeps.get,
        store.sweeps.notebook,
        store.sweeps.delete,
        store.sweeps.restore,
        store.sweeps.request_stop,
    ):
        with pytest.raises(NotFoundError, match="There is no sweep zzz"):
            ask("zzz")
    for ask_run in (store.runs.get, store.runs.request_stop):
        with pytest.raises(NotFoundError, match="There is no run zzz"):
            ask_run("zzz")
    assert store.sweeps.draft("/zzz") is None
    assert store.infos.get("zzz") is None


def test_stop_is_an_intent_and_only_of_what_lives(store: Store) -> None:
    sweep = new_sweep(store, state=SweepState.RUNNING)
    live, over = new_runs(store, sweep, 2)
    store.runs.change(over.id, state=RunState.STOPPED)
    store.runs.request_stop(live.id)
    store.sweeps.request_stop(sweep.id)
    assert store.runs.get(live.id).stop_requested and store.runs.get(live.id).state is RunState.QUEUED
    assert store.sweeps.get(sweep.id).stop_requested
    with pytest.raises(ConflictError, match="nothing to stop"):
        store.runs.request_stop(over.id)
    store.sweeps.change(sweep.id, state=SweepState.STOPPED)
    with pytest.raises(ConflictError, match="nothing to stop"):
        store.sweeps.request_stop(sweep.id)


def test_delete_restore_purge(store: Store) -> None:
    sweep = new_sweep(store)
    with pytest.raises(ConflictError):
        store.sweeps.delete(sweep.id)
    store.sweeps.change(sweep.id, state=SweepState.STOPPED)
    (run,) = new_runs(store, sweep)
    known = store.revision()
    store.sweeps.delete(sweep.id)
    assert store.sweeps.find() == []
    assert [found.id for found in store.sweeps.find(deleted=True)] == [sweep.id]
    assert store.sweeps.find(since=known, deleted=None)[0].deleted_at is not None
    assert store.sweeps.purgeable(now()) == [sweep.id]
    assert store.sweeps.purgeable("2000") == []
    store.sweeps.restore(sweep.id)
    assert store.sweeps.purgeable(now()) == []
    assert [found.id for found in store.sweeps.find()] == [sweep.id]
    known = store.revision()
    store.sweeps.purge(sweep.id)
    assert store.revision() > known
    for gone in (lambda: store.sweeps.get(sweep.id), lambda: store.runs.get(run.id)):
        with pytest.raises(NotFoundError):
            gone()


def test_listing(store: Store) -> None:
    first = new_sweep(store, "/srv/ada/a.ipynb", state=SweepState.SUCCEEDED)
    second = new_sweep(store, "/srv/ada/b.ipynb", archived=True)
    new_sweep(store, "/srv/Ada/a.ipynb")
    new_sweep(store, "/srv/adam/a.ipynb")
    new_sweep(store, "/srv/a_a/a.ipynb")

    def ids(**options: Any) -> list[str]:
        return [sweep.id for sweep in store.sweeps.find(**options)]

    assert ids(folder="/srv/ada") == [second.id, first.id]
    assert ids(folder="/srv/ada/") == [second.id, first.id]
    assert len(ids(folder="/")) == len(ids()) == 5
    assert ids(folder="/srv/a_a") != ids(folder="/srv/ada")
    assert ids(folder="/srv/ada", archived=True) == [second.id]
    assert ids(folder="/srv/ada", live=False) == [first.id]
    assert len(ids(limit=2)) == 2


def test_run_filters(store: Store) -> None:
    sweep = new_sweep(store)
    runs = new_runs(store, sweep, 4)
    store.runs.change(runs[0].id, state=RunState.STARTING)
    store.runs.change(runs[0].id, state=RunState.FAILED)
    store.runs.change(runs[1].id, state=RunState.STARTING, tracked=True)
    assert [run.index for run in store.runs.of_sweep(sweep.id, limit=3)] == [0, 1, 2]
    assert [run.index for run in store.runs.of_sweep(sweep.id, states=[RunState.QUEUED])] == [2, 3]
    assert [run.index for run in store.runs.of_sweep(sweep.id, tracked=True)] == [1]
    assert [run.index for run in store.runs.live()] == [1]
    assert [run.index for run in store.runs.untracked(10)] == [0]
    assert store.sweeps.get(sweep.id).counts == {"failed": 1, "starting": 1, "queued": 2}


def test_drafts_and_infos_are_replaced(store: Store) -> None:
    for text in ("1:3", "1:4"):
        store.sweeps.set_draft("/a.ipynb", SweepRequest(path="/a.ipynb", space={"a": text}))
        store.infos.put("service", {"pid": text})
    draft = store.sweeps.draft("/a.ipynb")
    assert draft is not None and draft.space == {"a": "1:4"}
    assert store.infos.get("service") == {"pid": "1:4"}


def test_what_earlier_sweeps_tell_of_a_notebook(store: Store) -> None:
    old = new_sweep(store, run_seconds=7.0)
    new_runs(store, old, state=RunState.SUCCEEDED, metrics={"auc": 1.0, "loss": 1.0})
    newer = new_sweep(store)
    new_runs(store, newer, state=RunState.SUCCEEDED, metrics={"f1": 1.0, "auc": 1.0})
    new_runs(store, new_sweep(store, "/work/b.ipynb"), state=RunState.SUCCEEDED, metrics={"other": 1.0})
    assert store.sweeps.metric_names("/work/a.ipynb") == ["f1", "auc", "loss"]
    assert store.sweeps.run_seconds("/work/a.ipynb") == 7.0
    assert store.sweeps.run_seconds("/work/b.ipynb") is None


# -- the disk ------------------------------------------------------------------------------------

MOUNTS = [
    ("/", "ext4"),
    ("/home", "nfs4"),
    ("/home/ada/fast", "xfs"),
    ("/scratch", "lustre"),
    ("/mnt/share", "CIFS"),
    ("/mnt/ssh", "fuse.sshfs"),
    ("/mnt/local", "fuseblk"),
    ("/data", "ext4"),
    ("/data", "beegfs"),
]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/mlops", ""),
        ("/home", "nfs4"),
        ("/home/ada/.local/share/jupyter/mlops", "nfs4"),
        ("/home/ada/fast/mlops", ""),
        ("/homework/mlops", ""),
        ("/scratch/mlops", "lustre"),
        ("/mnt/share/mlops", "cifs"),
        ("/mnt/ssh/mlops", "fuse.sshfs"),
        ("/mnt/local/mlops", ""),
        ("/data/mlops", "beegfs"),
    ],
)
def test_a_network_file_system_is_known_by_its_mount(path: str, kind: str) -> None:
    assert network_filesystem(Path(path), MOUNTS) == kind


@pytest.mark.parametrize("kind", ["nfs", "smb3", "smbfs", "9p", "gpfs", "ceph", "afpfs", "fuse.gcsfuse", "glusterfs"])
def test_kinds_of_network_file_systems(kind: str) -> None:
    assert network_filesystem(Path("/a"), [("/", kind)]) == kind


@pytest.mark.parametrize(
    "kind", ["ext4", "xfs", "btrfs", "overlay", "tmpfs", "apfs", "zfs", "fuse.lxcfs", "ntfs", "iso9660"]
)
def test_kinds_of_local_file_systems(kind: str) -> None:
    assert network_filesystem(Path("/a"), [("/", kind)]) == ""


def test_the_warning_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import psutil

    class Partition:
        mountpoint, fstype = str(tmp_path.resolve()), "nfs4"

    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: [Partition])
    (sentence,) = store_warnings(tmp_path)
    assert "(nfs4)" in sentence and "set MlopsSettings.data_dir to a folder on a local disk" in sentence
    (tmp_path / "store.sqlite").write_bytes(b"12345")
    (tmp_path / "store.sqlite-wal").write_bytes(b"123")
    (tmp_path / "service.log").write_bytes(b"1")
    assert store_bytes(tmp_path) == 8


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Waiting: tcp://gpu:8786 does not answer", Reason.UNREACHABLE),
        ("An internal error ended it (KeyError: 'x'); see the service's log", Reason.INTERNAL),
        ("Not in MLflow yet: it does not answer", Reason.UNTRACKED),
        ("Waiting for its turn", Reason.NONE),
    ],
)
def test_a_text_that_an_earlier_version_stored_is_read_as_a_reason(text: str, reason: Reason) -> None:
    sweep = {"id": "s", "name": "s", "path": "/s.ipynb", "notebook_hash": "", "message": text}
    step = {"id": "r-0", "run_id": "r", "pipeline_id": "p", "step": "train", "message": text}
    run = {"id": "r", "sweep_id": "s", "index": 0, "message": text}
    reasons = [decode(sweep, Sweep).reason, decode(step, StepRun).reason, decode(run, Run).reason]
    assert reasons == [reason] * 3


def test_a_reason_lasts_as_long_as_its_message(store: Store) -> None:
    sweep = new_sweep(store)
    assert store.sweeps.change(sweep.id, message="x", reason=Reason.UNREACHABLE).reason is Reason.UNREACHABLE
    assert store.sweeps.change(sweep.id, slots=2).reason is Reason.UNREACHABLE
    assert store.sweeps.get(sweep.id).reason is Reason.UNREACHABLE
    assert store.sweeps.change(sweep.id, message="y").reason is Reason.NONE


def test_a_message_comes_back_with_its_template_and_values(store: Store) -> None:
    why = Message("{host} does not answer", host="gpu:8786 {1}")
    message = Message("Waiting: {why} ({count:,} runs)", why=why, count=1234)
    assert message == "Waiting: gpu:8786 {1} does not answer (1,234 runs)"
    run = msgspec.structs.replace(new_runs(store, new_sweep(store))[0], id="told", index=7, message=message)
    store.runs.add(run.sweep_id, [run])
    for kept in (store.runs.get("told"), pickle.loads(pickle.dumps(run))):
        assert (kept.message, kept.message.template) == (message, "Waiting: {why} ({count:,} runs)")
        assert kept.message.values["why"].values == {"host": "gpu:8786 {1}"}
    # earlier versions kept the text alone
    old = decode({"id": "r", "sweep_id": "s", "index": 0, "message": "It {is} gone", "warnings": ["50 %"]}, Run)
    assert (old.message, old.message.template, old.warnings) == ("It {is} gone", "It {{is}} gone", ["50 %"])
    # and a newer one may keep more
    newer = decode({"id": "r", "sweep_id": "s", "index": 0, "message": {"in": "another form"}}, Run)
    assert not is_supported(newer) and encode(newer)["message"] == {"in": "another form"}
