"""Metrics in flight: what notebooks log with a step is seen while they run, bounded, apart for each attempt."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from conftest import Service, serving, wait_until
from hypothesis import given
from hypothesis import strategies as st
from mlflow_helpers import MlflowServer, status_of
from sqlalchemy import create_engine, text
from worker_helpers import make_spec

from jupyter_mlops.core.curves import MAX_CURVES, MAX_POINTS, Curve, Point
from jupyter_mlops.core.lenient import decode
from jupyter_mlops.core.record import now
from jupyter_mlops.core.runs import Run, RunResult
from jupyter_mlops.core.states import RUN_LIVE, SweepState
from jupyter_mlops.core.sweeps import Sweep
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.store import Store
from jupyter_mlops.worker import run_attempt
from jupyter_mlops.worker.kernel.environment import WATCHES_MLFLOW

# waits for a file at a step, so that a test can look meanwhile
LOGS = """
import pathlib, time, mlflow
for step in range({count}):
    if step == {pause}:
        while not pathlib.Path("go").exists():
            time.sleep(0.05)
    mlflow.log_metric("loss", 1 / (step + 1), step=step)
"""
POINTS = st.tuples(
    st.integers(0, 10), st.one_of(st.floats(-1e3, 1e3), st.sampled_from([math.nan, math.inf, -math.inf]))
)


@pytest.fixture
def any_store(empty_url: str) -> Iterator[Store]:
    store = Store(empty_url)
    store.sweeps.create(Sweep(id="s", name="s", path="/a.ipynb", notebook_hash="", total=2, created_at=now()), b"{}")
    store.runs.add("s", [Run(id="r", sweep_id="s", index=0), Run(id="q", sweep_id="s", index=1)])
    yield store
    store.close()


def curve(name: str, *values: float) -> Curve:
    return Curve(name=name).extended(enumerate(values))


@given(st.lists(POINTS, max_size=40), st.integers(1, 60), st.integers(1, 3_000))
def test_a_curve_is_bounded_and_keeps_what_matters(some: list[Point], times: int, piece: int) -> None:
    points = [(step + place, value) for place, (step, value) in enumerate(some * times)]
    made = Curve(name="loss")
    for first in range(0, len(points), piece):
        made = made.extended(points[first : first + piece])
    assert len(made.numbers) <= MAX_POINTS
    assert (made.logged, len(made.steps), len(made.values)) == (len(points), len(made.numbers), len(made.numbers))
    assert made.numbers == sorted(set(made.numbers))
    # each kept point is one that was logged, at its place
    assert repr(made.points) == repr([points[number] for number in made.numbers])
    assert len(made.numbers) == len(points) or len(points) > MAX_POINTS
    values = [value for _, value in made.points]
    every = [value for _, value in points]
    finite = [value for value in every if math.isfinite(value)]
    if points:
        assert (made.numbers[0], made.numbers[-1]) == (0, len(points) - 1)
    if finite:
        assert {min(finite), max(finite)} <= set(values)
    if len(finite) < len(every):
        assert not all(map(math.isfinite, values))
    # as the wire and the store have it
    assert msgspec.json.decode(msgspec.json.encode(made), type=Curve) == made


def test_old_points_are_thinned_evenly() -> None:
    made = Curve(name="wave")
    for first in range(0, 5_000, 7):
        made = made.extended((step, math.sin(step / 50)) for step in range(first, min(first + 7, 5_000)))
    assert made.logged == 5_000
    gaps = [later - earlier for earlier, later in zip(made.steps, made.steps[1:], strict=False)]
    # 250 buckets of 32 hold 5,000; two neighbours are at most the ends of two buckets apart
    assert max(gaps) < 64
    assert len(made.steps) > MAX_POINTS // 4


def test_each_attempt_has_its_own_and_they_go_with_the_run(any_store: Store) -> None:
    any_store.curves.put("r", 1, [curve("loss", 1.0, math.nan, math.inf), curve("auc", 0.5, 0.6)])
    any_store.curves.put("r", 2, [curve("loss", 3.0, 2.0)])
    any_store.curves.put("r", 2, [curve("loss", 3.0, 2.0, 1.0)])
    assert any_store.curves.of_run("r", 1) == [curve("auc", 0.5, 0.6), curve("loss", 1.0, math.nan, math.inf)]
    assert any_store.curves.of_run("r", 2) == [curve("loss", 3.0, 2.0, 1.0)]
    assert any_store.curves.of_run("q", 1) == []
    many = [curve(f"m{number:03}", 1.0, 2.0) for number in range(MAX_CURVES + 5)]
    any_store.curves.put("q", 1, many)
    any_store.curves.put("q", 1, [curve("one more", 1.0, 2.0), curve("m000", 1.0, 2.0, 3.0)])
    assert any_store.curves.of_run("q", 1) == [curve("m000", 1.0, 2.0, 3.0), *many[1:MAX_CURVES]]
    any_store.sweeps.purge("s")
    assert any_store.curves.of_run("r", 1) == any_store.curves.of_run("r", 2) == []
    # its service may still have had points
    any_store.curves.put("r", 2, [curve("loss", 3.0)])
    assert any_store.curves.of_run("r", 2) == []


def test_what_a_newer_version_keeps_with_a_curve_stays(any_store: Store, empty_url: str) -> None:
    engine = create_engine(empty_url.replace("postgresql:", "postgresql+psycopg:"))
    any_store.curves.put("r", 1, [curve("loss", 3.0, 2.0)])
    with engine.begin() as connection:
        kept = json.loads(connection.execute(text("SELECT record FROM curves")).scalar_one())
        newer = json.dumps(kept | {"unit": "nats"})
        connection.execute(text("UPDATE curves SET record = :newer"), {"newer": newer})
    (found,) = any_store.curves.of_run("r", 1)
    any_store.curves.put("r", 1, [found.extended([(2, 1.0)])])
    with engine.begin() as connection:
        written = json.loads(connection.execute(text("SELECT record FROM curves")).scalar_one())
    assert written == kept | {"unit": "nats", "logged": 3, "numbers": [0, 1, 2], "steps": [0, 1, 2]} | {
        "values": [3.0, 2.0, 1.0]
    }
    engine.dispose()


def live_run(service: Service, sweep_id: str) -> Run:
    service.wait(sweep_id, lambda sweep: sweep.counts.get("running", 0) > 0)
    (run,) = service.store.runs.of_sweep(sweep_id, states=RUN_LIVE)
    return run


def curves_of(service: Service, run: Run, attempt: int = 0) -> dict[str, Curve]:
    return {found.name: found for found in service.sweeps.curves(run.id, attempt).curves}


@pytest.fixture(params=["embedded", "foreign"])
def own_service(request: pytest.FixtureRequest, settings: MlopsSettings, tmp_path: Path) -> Iterator[Service]:
    """One for a test that kills it, with its own MLflow, or with a server of the person's."""
    with contextlib.ExitStack() as stack:
        if request.param == "foreign":
            server = MlflowServer(tmp_path / "external")
            stack.callback(server.kill)
            server.start()
            # its first answer takes longer than the service waits for it
            wait_until(lambda: status_of(f"{server.uri}/api/2.0/mlflow/experiments/get?experiment_id=0") == 200)
            settings = MlopsSettings(
                data_dir=settings.data_dir, mlflow_tracking_uri=server.uri, service_idle_timeout=60.0
            )
        yield stack.enter_context(serving(settings))


def test_points_are_seen_while_the_run_goes_on_and_are_whole_though_the_service_is_killed(
    own_service: Service, notebook: Path
) -> None:
    service = own_service
    many = """
import math
client, run = mlflow.MlflowClient(), mlflow.active_run() or mlflow.start_run()
values = [math.sin(step / 50) * step for step in range(5_000)]
values[2_000], values[3_000] = math.nan, math.inf
for first in range(0, 5_000, 1_000):
    metrics = [mlflow.entities.Metric("wave", values[step], step, step) for step in range(first, first + 1_000)]
    client.log_batch(run.info.run_id, metrics=metrics)
mlflow.log_metric("plain", 7)
"""
    sweep_id = service.sweep(notebook, "x = 1", LOGS.format(count=30, pause=10), many)
    run = live_run(service, sweep_id)
    wait_until(lambda: curves_of(service, run).get("loss", curve("loss")).logged == 10)
    assert curves_of(service, run)["loss"] == Curve(name="loss").extended((step, 1 / (step + 1)) for step in range(10))
    assert service.store.runs.get(run.id).state in RUN_LIVE
    service.kill()
    (notebook.parent / "go").touch()
    service.start()
    assert service.wait(sweep_id).state is SweepState.SUCCEEDED
    run = service.store.runs.get(run.id)
    assert run.attempt == 1, "the service's death repeated the run"
    found = curves_of(service, run)
    assert found["loss"].points == [(step, 1 / (step + 1)) for step in range(30)]
    wave = found["wave"]
    assert (wave.logged, wave.steps[0], wave.steps[-1]) == (5_000, 0, 4_999)
    assert len(wave.steps) <= MAX_POINTS
    values = [math.sin(step / 50) * step for step in range(5_000) if step not in (2_000, 3_000)]
    assert {min(values), max(values)} <= set(wave.values)
    assert {"NaN", "Infinity"} & set(wave.values)
    # what was logged once and without a step is a metric and no curve
    assert (set(found), run.metrics["plain"]) == ({"loss", "wave"}, 7.0)


def test_the_curves_of_two_attempts_do_not_mix(service: Service, notebook: Path) -> None:
    fails = """
import pathlib, mlflow
again = pathlib.Path("again")
for step in range(5 if again.exists() else 3):
    # in runs of its own, as notebooks do
    with mlflow.start_run(run_name=str(step)):
        mlflow.log_metric("loss", step, step=step)
if not again.exists():
    again.touch()
    raise ValueError("once")
"""
    sweep_id = service.sweep(notebook, "x = 1", fails)
    assert service.wait(sweep_id).state is SweepState.FAILED
    service.sweeps.retry(sweep_id)
    assert service.wait(sweep_id, lambda sweep: sweep.state is SweepState.SUCCEEDED).counts == {"succeeded": 1}
    (run,) = service.store.runs.of_sweep(sweep_id)
    assert run.attempt == 2
    assert curves_of(service, run)["loss"].steps == [0, 1, 2, 3, 4]
    assert curves_of(service, run, 1)["loss"].steps == [0, 1, 2]


def logged(tmp_path: Path, *cells: str) -> tuple[RunResult, dict[str, Curve]]:
    """What a run says of a notebook, and the curves that its events make up."""
    joined: dict[str, Curve] = {}

    def report(event: dict[str, Any]) -> None:
        for built in event.get("curves", ()):
            part = decode(built, Curve)
            joined[part.name] = joined.get(part.name, Curve(name=part.name)).joined(part)

    return run_attempt(make_spec(tmp_path, *cells, env={WATCHES_MLFLOW: "http://127.0.0.1:9"}), report), joined


LOGS_IN_EVERY_WAY = """
mlflow.set_tracking_uri("sqlite:///" + os.path.abspath("own.sqlite"))
with mlflow.start_run() as run:
    for step in range(3):
        mlflow.log_metric("plain", step, step=step)
    mlflow.log_metrics({"a": math.nan, "b": -math.inf}, step=7)
    mlflow.config.enable_async_logging()
    for step in range(3):
        mlflow.log_metric("later", 2 * step, step=step)
    mlflow.flush_async_logging()
    batch = [mlflow.entities.Metric("batch", step, 0, step) for step in range(1_000)]
    mlflow.MlflowClient().log_batch(run.info.run_id, batch)
    time.sleep(1.5)  # an event tells of them before the end
"""


def test_the_probe_sees_what_is_logged_in_any_way(tmp_path: Path) -> None:
    result, joined = logged(tmp_path, "import math, mlflow, os, time", LOGS_IN_EVERY_WAY)
    assert result.error is None, result.error
    found = {curve.name: curve for curve in result.curves}
    assert found["plain"].points == [(0, 0.0), (1, 1.0), (2, 2.0)]
    assert sorted(found["later"].points) == [(0, 0.0), (1, 2.0), (2, 4.0)]
    assert found["batch"].points == [(step, float(step)) for step in range(1_000)]
    # MLflow's own database keeps infinity as the largest number; here it never got there
    assert (found["a"].steps, found["a"].values, found["b"].values) == ([7], ["NaN"], ["-Infinity"])
    assert joined == found
    assert not list(tmp_path.rglob("logged.jsonl"))


IMPORTS = """
try:
    import mlflow.store.tracking.abstract_store as found
except ImportError as error:
    found = error
"""
STRANGE = """
class AbstractStore:
    __slots__ = ()
    def __init_subclass__(cls, **options): raise RuntimeError("no")
"""


@pytest.mark.parametrize("store", [STRANGE, "AbstractStore = 3", "", "raise ImportError('broken')"])
def test_a_module_of_mlflows_name_is_left_as_it_is(tmp_path: Path, store: str) -> None:
    package = tmp_path / "project" / "mlflow" / "store" / "tracking"
    package.mkdir(parents=True)
    for folder in (package, *package.parents[:2]):
        (folder / "__init__.py").touch()
    (package / "abstract_store.py").write_text(store)
    result, joined = logged(
        tmp_path,
        IMPORTS,
        "import sys; left = [str(finder) for finder in sys.meta_path if 'mlops' in type(finder).__module__]",
        "assert found and not left, (found, left)",
    )
    assert (result.error, result.curves, joined) == (None, [], {})
