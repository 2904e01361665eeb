"""What a step's runs may take: memory of the kernel and of all that it starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from step_helpers import STARTS, step, went_well, why_failed
from warm_helpers import gone

from jupyter_mlops.core.runs import RunExtras
from jupyter_mlops.worker.failures import memory_used

LIMIT = 300_000_000
GROW = (
    "import os, time\nopen('pids', 'w').write(str(os.getpid()))\nkept = []\n"
    "while True:\n    kept.append(b'x' * 20_000_000)\n    time.sleep(0.05)"
)
CHILD = (
    "import os, subprocess, sys, time\nopen('pids', 'w').write(str(os.getpid()))\n"
    "code = 'x = b\"x\" * 400_000_000; import time; time.sleep(60)'\n"
    "child = subprocess.Popen([sys.executable, '-c', code], start_new_session=True)\n"
    "open('pids', 'a').write(f' {child.pid}')\nchild.wait()"
)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("code", [GROW, CHILD], ids=["kernel", "child"])
def test_a_run_that_takes_more_memory_than_it_may_is_ended(tmp_path: Path, start: str, code: str) -> None:
    notebook = step(tmp_path, "done = 1", code, extras=RunExtras(memory=LIMIT, outputs=["done"]), kernel_start=start)
    result = notebook.run()
    message = why_failed(result, "Memory")
    assert message.startswith("It used ") and message.endswith(", more than the 300 MB that its step allows.")
    assert result.error is not None and result.error.cell == 1
    assert (result.cell, result.cells) == (1, 2)
    assert result.peak_memory is not None and result.peak_memory > LIMIT
    assert result.outputs == {}
    assert notebook.executed().cells[1].outputs[-1].evalue == message
    gone(*(int(pid) for pid in (tmp_path / "project" / "pids").read_text().split()))


def test_what_was_taken_for_a_moment_counts_too(tmp_path: Path) -> None:
    """However the looks at it fall, the same run fails each time."""
    code = "x = b'x' * 400_000_000\ndel x"
    message = why_failed(step(tmp_path, code, extras=RunExtras(memory=LIMIT)).run(), "Memory")
    assert message.endswith(", more than the 300 MB that its step allows.")


@pytest.mark.parametrize("kernel", ["python3", "bash"])
def test_a_run_within_its_memory_is_left_alone(tmp_path: Path, kernel: str) -> None:
    code = "sleep 0.6" if kernel == "bash" else "import time; x = b'x' * 100_000_000; time.sleep(0.6)"
    result = went_well(step(tmp_path, code, extras=RunExtras(memory=LIMIT), kernel=kernel).run())
    assert result.peak_memory is not None and result.peak_memory < LIMIT


def test_the_shared_cells_are_within_the_limit_too(tmp_path: Path) -> None:
    notebook = step(
        tmp_path,
        "rate = 1",
        "base = b'x' * 400_000_000",
        "rate",
        extras=RunExtras(memory=LIMIT),
        prefix=2,
        varied=["rate"],
    )
    for rate in (1, 2):
        why_failed(notebook.run(parameters={"rate": rate}), "Memory")


def test_sizes_are_told_apart() -> None:
    assert memory_used(1_234_000_000, 10**9) == "It used 1.23 GB, more than the 1 GB that its step allows."
    assert memory_used(512_000_001, 512_000_000) == (
        "It used 512.000001 MB, more than the 512 MB that its step allows."
    )
