"""Tests wait for events: none gives what it waits for fewer seconds than a machine with too much to do may take."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

FILES = sorted(Path(__file__).parent.glob("*.py"))
LEAST = 120  # s
# by the name of what waits: its named limits, and where a limit stands among its arguments
_NAMED = {"timeout", "wait", "within"}
_PLACES = {"wait_until": 1, "wait_procs": 1, "wait_for": 1, "wait": 0, "join": 0}
# what takes a `timeout` that is the point of the test
_OTHER = {"RunSpec", "Step", "SweepRequest", "timedelta", "MlopsSettings"}


def short_waits(source: str) -> Iterator[str]:
    """Calls with too short a limit, and assertions on how long something took."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            place = _PLACES.get(name, len(node.args))
            limits = [*node.args[place : place + 1], *(word.value for word in node.keywords if word.arg in _NAMED)]
            if name == "timeout" and isinstance(node.func, ast.Attribute):
                limits += node.args
            numbers = [limit.value for limit in limits if isinstance(limit, ast.Constant)]
            # below one second it is a step of a loop that looks again
            if name not in _OTHER and any(type(number) in (int, float) and 1 <= number < LEAST for number in numbers):
                yield f"line {node.lineno}: {ast.unparse(node)[:80]}"
        elif isinstance(node, ast.Assert) and isinstance(node.test, ast.Compare):
            text = ast.unparse(node.test)
            if "monotonic() - " in text or "perf_counter() - " in text:
                yield f"line {node.lineno}: {text}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_is_waited_for_too_shortly(path: Path) -> None:
    assert list(short_waits(path.read_text())) == []


def test_what_is_too_short_is_found() -> None:
    short = [
        "wait_until(found, 5)",
        "process.wait(10)",
        "future.result(timeout=20)",
        "assert time.monotonic() - began < 2",
        "with asyncio.timeout(5): pass",
    ]
    assert [len(list(short_waits(line))) for line in short] == [1] * len(short)
    fine = ["wait_until(found)", "process.wait()", "Step(timeout=5)", "event.wait(0.02)", "communicate(timeout=120)"]
    assert [list(short_waits(line)) for line in fine] == [[]] * len(fine)
