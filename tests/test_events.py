"""What happens in the store is said on Jupyter's event bus: soon, seldom, and never forgotten."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import PATIENCE, write_notebook
from jsonschema import Draft202012Validator

from jupyter_mlops import events
from jupyter_mlops.core.sweeps import SweepRequest
from jupyter_mlops.events import SCHEMA, SCHEMA_ID, RevisionTail
from jupyter_mlops.services.sweeps.requests import Sweeps


class Heard:
    """The events of ours that the bus brought."""

    def __init__(self, logger: Any) -> None:
        self.data: list[dict[str, Any]] = []
        logger.add_listener(schema_id=SCHEMA_ID, listener=self._listen)

    async def _listen(self, logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        Draft202012Validator(SCHEMA).validate(data)
        self.data.append(data)

    async def until(self, revision: int) -> None:
        """Wait until a revision was announced."""
        async with asyncio.timeout(PATIENCE):
            while not any(data["revision"] >= revision for data in self.data):
                await asyncio.sleep(0.02)

    @property
    def sweeps(self) -> set[str]:
        return {sweep for data in self.data for sweep in data["sweeps"]}


@pytest.fixture
def started(jp_serverapp: Any, jp_asyncio_loop: asyncio.AbstractEventLoop) -> None:
    """What a server does once its loop runs, which the test's server leaves out."""
    jp_asyncio_loop.run_until_complete(jp_serverapp.extension_manager.start_all_extensions())


@pytest.fixture
def heard(jp_serverapp: Any, started: None) -> Heard:
    return Heard(jp_serverapp.event_logger)


@pytest.fixture
def train(jp_root_dir: Path) -> Path:
    return write_notebook(jp_root_dir / "train.ipynb", "a = 1")


async def start(jp_fetch: Any) -> dict[str, Any]:
    body = json.dumps({"path": "train.ipynb", "space": {"a": "1:3"}})
    answer = await jp_fetch("mlops", "sweeps", method="POST", body=body)
    sweep: dict[str, Any] = json.loads(answer.body)
    return sweep


async def test_the_first_request_is_heard_already(jp_fetch: Any, heard: Heard, train: Path) -> None:
    sweep = await start(jp_fetch)
    await heard.until(sweep["revision"])
    assert heard.data[0] == {"revision": sweep["revision"], "sweeps": [sweep["id"]]}


async def test_what_others_write_is_heard(
    jp_fetch: Any, heard: Heard, train: Path, sweeps: Sweeps, kernelspecs: dict[str, Any], tmp_path: Path
) -> None:
    await jp_fetch("mlops", "sweeps")
    sweep = sweeps.create(train, SweepRequest(path=str(train)), kernelspecs)
    other = write_notebook(tmp_path / "elsewhere" / "b.ipynb", "a = 1")
    hidden = sweeps.create(other, SweepRequest(path=str(other)), kernelspecs)
    await heard.until(sweeps.store.revision())
    # what lies outside this server's root is not named
    assert heard.sweeps == {sweep.id} != {hidden.id}


async def test_subscribers_of_the_socket_hear_it(jp_fetch: Any, jp_ws_fetch: Any, train: Path, started: None) -> None:
    socket = await jp_ws_fetch("api", "events", "subscribe")
    sweep = await start(jp_fetch)
    async with asyncio.timeout(PATIENCE):
        while True:
            event = json.loads(await socket.read_message())
            if event["schema_id"] == SCHEMA_ID:
                break
    assert (event["revision"], event["sweeps"]) == (sweep["revision"], [sweep["id"]])
    socket.close()


async def test_many_changes_make_few_events_and_the_last_is_among_them(
    jp_fetch: Any, heard: Heard, train: Path, sweeps: Sweeps
) -> None:
    sweep = await start(jp_fetch)
    await heard.until(sweep["revision"])
    heard.data.clear()
    started, changes = time.monotonic(), 0
    while changes <= 20 or time.monotonic() < started + 1.6:
        await asyncio.to_thread(sweeps.store.sweeps.change, sweep["id"], message=str(changes))
        changes += 1
        await asyncio.sleep(0.002)
    await heard.until(sweeps.store.revision())
    took = time.monotonic() - started
    # four a second at most
    assert 2 <= len(heard.data) <= 4 * took + 1
    revisions = [data["revision"] for data in heard.data]
    assert revisions == sorted(set(revisions))
    assert revisions[-1] == sweeps.store.revision()


async def test_nothing_new_is_no_event(jp_fetch: Any, heard: Heard, train: Path) -> None:
    sweep = await start(jp_fetch)
    await heard.until(sweep["revision"])
    await jp_fetch("mlops", "sweeps")
    await asyncio.sleep(3 * events.POLL_SECONDS)
    assert len(heard.data) == 1


async def test_a_store_that_fails_once_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(events, "POLL_SECONDS", 0.01)
    answers: list[Any] = [None, OSError("gone"), OSError("gone"), (4, []), (6, ["a"]), (6, []), (7, [])]
    emitted: list[dict[str, Any]] = []
    asked: list[int | None] = []
    over = asyncio.Event()
    loop = asyncio.get_running_loop()

    def news(seen: int | None) -> tuple[int, list[str]] | None:
        asked.append(seen)
        if not answers:
            loop.call_soon_threadsafe(over.set)
            return 7, []
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        found: tuple[int, list[str]] | None = answer
        return found

    tail = RevisionTail(news, emitted.append, lambda: None)
    tail.start()
    await over.wait()
    await tail.stop()
    assert asked[:8] == [None, None, None, None, 4, 6, 6, 7]
    assert emitted == [{"revision": 6, "sweeps": ["a"]}, {"revision": 7, "sweeps": []}]
    # said once, not twice a second
    assert len([record for record in caplog.records if "cannot read changes" in record.message]) == 1
