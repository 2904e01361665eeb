"""A store that a newer version of this package wrote: an older process works on it, and the newer one loses nothing.

The newer one is this code with what a newer one would have added: a migration, columns, fields in records and in those
inside them, and values that this code does not know.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import Service
from sqlalchemy import Engine, create_engine, text

from jupyter_mlops.core.errors import ConflictError, UnavailableError
from jupyter_mlops.core.lenient import decode, encode, is_supported
from jupyter_mlops.core.pipelines.definition import PipelineDefinition, Step
from jupyter_mlops.core.pipelines.records import LogLine, Pipeline, PipelineRun, StepRun, Trigger, Version
from jupyter_mlops.core.record import now
from jupyter_mlops.core.runs import Run, RunError
from jupyter_mlops.core.states import PipelineRunState, RunState, SweepState
from jupyter_mlops.core.sweeps import Objective, Sweep, SweepRequest
from jupyter_mlops.store import Store

LONG_AGO = "2020-01-01T00:00:00.000000+00:00"
MORE = {"since": 2, "nested": {"unknown": [1, None]}}


class Newer:
    """The newer version's hand on the store."""

    def __init__(self, url: str) -> None:
        self.engine: Engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))

    def run(self, statement: str, **values: Any) -> list[Any]:
        with self.engine.begin() as connection:
            found = connection.execute(text(statement), values)
            return list(found) if found.returns_rows else []

    def record(self, table: str, key: str) -> dict[str, Any]:
        ((record,),) = self.run(f"SELECT record FROM {table} WHERE {_key(table)} = :key", key=key)
        found: dict[str, Any] = json.loads(record)
        return found

    def add(self, table: str, key: str, **fields: Any) -> dict[str, Any]:
        """Add fields to a record; ``nested__name`` is one of a record in it, ``state`` stands in a column, too."""
        record = self.record(table, key)
        for name, value in fields.items():
            place = record
            *way, last = name.split("__")
            for step in way:
                place = place[int(step) if step.isdecimal() else step]
            place[last] = value
        self.run(f"UPDATE {table} SET record = :record WHERE {_key(table)} = :key", key=key, record=json.dumps(record))
        for name in fields.keys() & {"state", "kind"}:
            self.run(f"UPDATE {table} SET {name} = :value WHERE {_key(table)} = :key", key=key, value=fields[name])
        return record

    def migrate(self, oldest: str) -> None:
        """What only adds, and a note of the oldest version that may read it."""
        self.run("ALTER TABLE sweeps ADD COLUMN study VARCHAR NOT NULL DEFAULT 'none'")
        self.run("CREATE TABLE models (id VARCHAR PRIMARY KEY)")
        self.run("UPDATE alembic_version SET version_num = '9999'")
        self.run("UPDATE infos SET value = :value WHERE key = 'oldest reader'", value=json.dumps(oldest))


def _key(table: str) -> str:
    return {"drafts": "path", "versions": "pipeline_id"}.get(table, "id")


@pytest.fixture
def any_store(empty_url: str) -> Iterator[Store]:
    """In a database of its own, which no other test has after it was migrated."""
    store = Store(empty_url)
    yield store
    store.close()


@pytest.fixture
def newer(empty_url: str, any_store: Store) -> Iterator[Newer]:
    """A store with one of each in it."""
    found = Newer(empty_url)
    objective = Objective(metric="loss", direction="minimize")
    any_store.sweeps.create(
        Sweep(id="s", name="s", path="/srv/a.ipynb", notebook_hash="", total=2, objective=objective, created_at=now()),
        b"{}",
    )
    error = RunError(name="ValueError", message="no")
    any_store.runs.add("s", [Run(id="r", sweep_id="s", index=0), Run(id="q", sweep_id="s", index=1, error=error)])
    any_store.sweeps.set_draft("/srv/a.ipynb", SweepRequest(path="/srv/a.ipynb", objective=objective))
    definition = PipelineDefinition(steps={"train": Step(notebook="a.ipynb"), "judge": Step(notebook="b.ipynb")})
    any_store.pipelines.create(
        Pipeline(id="p", name="p", path="/srv/p.ipynb", project="/srv", created_at=now()),
        Version(pipeline_id="", number=0, definition=definition),
    )
    any_store.pipeline_runs.create(
        PipelineRun(id="pr", pipeline_id="p", version=1, log=[LogLine(at=now(), text="begun")], created_at=now())
    )
    any_store.pipeline_runs.add_steps("pr", [StepRun(id="st", run_id="pr", pipeline_id="p", step="train")])
    any_store.triggers.create(Trigger(id="t", pipeline_id="p", cron="* * * * *", next_at=LONG_AGO))
    yield found
    found.engine.dispose()


def test_an_older_process_changes_a_newer_store_and_the_newer_one_finds_everything(
    newer: Newer, empty_url: str
) -> None:
    added: dict[tuple[str, str], dict[str, Any]] = {
        ("sweeps", "s"): {"study": MORE, "objective__weight": 0.5, "sampler__startup": 5},
        ("runs", "q"): {"curve": MORE, "error__hint": "say yes"},
        ("drafts", "/srv/a.ipynb"): {"study": MORE},
        ("pipelines", "p"): {"gate": MORE, "recent__0__score": 0.9},
        ("versions", "p"): {"signature": MORE, "definition__steps__train__gate": MORE},
        ("pipeline_runs", "pr"): {"approval": MORE, "log__0__values": MORE},
        ("step_runs", "st"): {"model": MORE},
        ("triggers", "t"): {"drift": MORE},
    }
    for (table, key), fields in added.items():
        newer.add(table, key, **fields)
    newer.migrate(oldest="0003")

    older = Store(empty_url)
    older.sweeps.change("s", name="renamed", state=SweepState.STARTING)
    older.runs.change("q", state=RunState.STARTING, worker="w")
    older.sweeps.set_draft("/srv/a.ipynb", SweepRequest(path="/srv/a.ipynb", slots=3))
    older.pipelines.change("p", name="renamed", paused=True)
    older.triggers.change("t", message="seen")
    older.pipeline_runs.change("pr", state=PipelineRunState.RUNNING, say=[LogLine(at=now(), text="on")])
    older.pipeline_runs.change_step("st", message="seen")
    older.sweeps.create(Sweep(id="o", name="o", path="/srv/a.ipynb", notebook_hash="", created_at=now()), b"{}")
    assert older.sweeps.draft("/srv/a.ipynb") == SweepRequest(path="/srv/a.ipynb", slots=3)
    assert {sweep.id for sweep in older.sweeps.find(live=True)} == {"s", "o"}
    older.close()

    for (table, key), fields in added.items():
        record = newer.record(table, key)
        for name, value in fields.items():
            found: Any = record
            for step in name.split("__"):
                found = found[int(step) if step.isdecimal() else step]
            assert found == value, (table, name)
    sweep = newer.record("sweeps", "s")
    assert (sweep["name"], sweep["state"], sweep["counts"]) == ("renamed", "starting", {"queued": 1, "starting": 1})
    assert [line["text"] for line in newer.record("pipeline_runs", "pr")["log"]] == ["begun", "on"]
    assert newer.record("drafts", "/srv/a.ipynb")["slots"] == 3
    # what was made meanwhile has the new column's default
    assert dict(newer.run("SELECT id, study FROM sweeps")) == {"s": "none", "o": "none"}
    assert newer.run("SELECT version_num FROM alembic_version") == [("9999",)]


def test_a_newer_store_that_this_version_must_not_read_is_refused(newer: Newer, empty_url: str) -> None:
    newer.migrate(oldest="9998")
    with pytest.raises(UnavailableError, match="written by a newer version of jupyter-mlops; install that version"):
        Store(empty_url)


def test_what_is_in_an_unknown_state_is_shown_and_nothing_else(newer: Newer, any_store: Store) -> None:
    store = any_store
    newer.add("sweeps", "s", state="hibernating", deleted_at=LONG_AGO)
    newer.run("UPDATE sweeps SET deleted_at = :at", at=LONG_AGO)
    newer.add("runs", "r", state="hibernating")
    newer.add("pipeline_runs", "pr", state="judging")
    newer.add("step_runs", "st", state="judging")
    newer.add("triggers", "t", kind="drift")
    assert encode(store.sweeps.get("s")) == newer.record("sweeps", "s")
    assert [run.state for run in store.runs.of_sweep("s")] == ["hibernating", "queued"]
    assert (store.pipeline_runs.get("pr").state, store.pipeline_runs.step("st").state) == ("judging", "judging")
    assert [trigger.kind for trigger in store.triggers.find("p")] == ["drift"]
    # not driven
    assert store.sweeps.find(live=True, deleted=None) == []
    assert store.triggers.find(due=now()) == []
    assert store.triggers.next_due() is None
    assert store.pipeline_runs.first_queued() == {}
    for refused in (
        lambda: store.sweeps.change("s", state=SweepState.STARTING),
        lambda: store.runs.change("r", state=RunState.QUEUED),
        lambda: store.pipeline_runs.change("pr", state=PipelineRunState.QUEUED),
        lambda: store.sweeps.delete("s"),
        lambda: store.pipeline_runs.purge("pr"),
    ):
        with pytest.raises(ConflictError):
            refused()
    # nor purged
    assert store.sweeps.purgeable("2026-01-01T00:00:00+00:00") == []
    # a person may rename it; its state stays as it is
    store.sweeps.change("s", name="renamed")
    assert newer.record("sweeps", "s")["state"] == "hibernating"


def test_a_value_that_is_not_known_keeps_a_record_from_being_driven(newer: Newer, any_store: Store) -> None:
    newer.add("sweeps", "s", objective__direction="pareto")
    newer.add("pipeline_runs", "pr", overlap="merge")
    (sweep,) = any_store.sweeps.find()
    assert not is_supported(sweep)
    assert any_store.sweeps.find(live=True) == []
    assert any_store.pipeline_runs.find(states=[PipelineRunState.QUEUED]) == []
    with pytest.raises(ConflictError, match="Only the newer version of jupyter-mlops that wrote this sweep"):
        any_store.sweeps.change("s", state=SweepState.STARTING)
    assert any_store.sweeps.change("s", name="renamed").name == "renamed"
    assert newer.record("sweeps", "s")["objective"]["direction"] == "pareto"


def test_a_deleted_sweep_with_a_run_in_an_unknown_state_is_not_purged(newer: Newer, any_store: Store) -> None:
    any_store.sweeps.change("s", state=SweepState.STOPPED)
    any_store.sweeps.delete("s")
    assert any_store.sweeps.purgeable(now()) == ["s"]
    newer.add("runs", "q", state="hibernating")
    assert any_store.sweeps.purgeable(now()) == []


def test_a_record_that_crosses_to_a_worker_is_read_there_as_here() -> None:
    raw = {
        "path": "a.ipynb",
        "objective": {"metric": "auc", "direction": "maximize", "weight": 2},
        "study": {"unreadable": 1},
    }
    record = decode(raw, SweepRequest)
    again = pickle.loads(pickle.dumps(record))
    assert encode(again)["objective"] == raw["objective"]
    assert encode(again)["study"] == raw["study"]


def test_a_service_leaves_alone_what_it_does_not_know_and_drives_the_rest(own_service: Service, notebook: Any) -> None:
    store = own_service.store
    foreign = Sweep(id="f", name="f", path=str(notebook), notebook_hash="", total=1, created_at=now())
    store.sweeps.create(foreign, b"{}")
    Newer(own_service.settings.store_url).add("sweeps", "f", state="hibernating", study=MORE)
    sweep = own_service.run_until_over(notebook, "x = 1", space={"x": "1, 2"})
    assert sweep.state is SweepState.SUCCEEDED
    assert (store.sweeps.get("f").state, store.sweeps.get("f").revision) == (
        "hibernating",
        store.sweeps.get("f").revision,
    )
    assert store.sweeps.get("f").message == ""
