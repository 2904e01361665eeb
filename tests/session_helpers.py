"""Ends processes, fails a session whose tests left some alive, and has it tell of the other parts of ``./dev test``."""

from __future__ import annotations

import contextlib
import os
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import psutil
import pytest

FAREWELL = float(os.environ.get("MLOPS_TEST_FAREWELL", "20"))  # s that what was told to end may still take
# names this session in the environment of all that its tests start; a session within a test adds its own name
_SESSION = "MLOPS_TEST_SESSION"
_LEFT = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Before xdist starts its workers, which inherit it."""
    if not hasattr(config, "workerinput"):
        _check_entry_points()
        os.environ[_SESSION] = f"{os.environ.get(_SESSION, '/')}{os.getpid()}/"


def _check_entry_points() -> None:
    """An editable install follows the sources, but not the entry points."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    wanted = {(group, *entry) for group, entries in project["entry-points"].items() for entry in entries.items()}
    installed = {(entry.group, entry.name, entry.value) for entry in distribution(project["name"]).entry_points}
    if missing := wanted - installed:
        raise pytest.UsageError(f"{sorted(missing)} of pyproject.toml are not installed; run ./dev setup")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail where a test left a process alive, and end it."""
    if hasattr(session.config, "workerinput"):
        return
    folder = session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    # what has been told to end may need a moment
    found = processes_of(os.environ[_SESSION], f"{folder}/")
    _, left = psutil.wait_procs([process for process in found if not _ends_with_us(process)], FAREWELL)
    for process in left:
        with contextlib.suppress(psutil.Error):
            test = process.environ().get("PYTEST_CURRENT_TEST", "an unknown test")
            session.config.stash.setdefault(_LEFT, []).append(f"{process.pid} of {test}: {process.cmdline()}\n")
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
    kill(*left)


def _ends_with_us(process: psutil.Process) -> bool:
    """Whether it serves attempts that a test executed in this very process: their guardian, their fork servers."""
    try:
        line = [process, *process.parents()]
        above = next((one for one in line if one.ppid() == os.getpid()), None)
        return above is not None and any("jupyter_mlops" in word and "worker" in word for word in above.cmdline())
    except psutil.Error:
        return False


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was left alive; and what `./dev test` ran before, so that the last lines tell of all parts."""
    if left := terminalreporter.config.stash.get(_LEFT, []):
        terminalreporter.section("processes that tests left alive")
        terminalreporter.write("".join(left))
    if parts := os.environ.get("MLOPS_TEST_PARTS"):
        terminalreporter.section("other parts")
        terminalreporter.write(parts)


def processes_of(*texts: str) -> list[psutil.Process]:
    """Living processes whose command or environment names something, but for this one and those above it."""
    above = {os.getpid(), *(process.pid for process in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter(["cmdline", "environ", "status"]):
        words = [*(process.info["cmdline"] or []), *(process.info["environ"] or {}).values()]
        named = any(text in word for text in texts for word in words)
        if named and process.pid not in above and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def end_all_of(folder: Path) -> None:
    """End every process that a folder is named to, also those that such a process starts meanwhile."""
    while found := processes_of(str(folder)):
        kill(*found)


def kill(*processes: psutil.Process) -> None:
    """End processes with signal 9 and wait until they are gone."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=180)
