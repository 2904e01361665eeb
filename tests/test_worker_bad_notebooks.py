"""What notebooks do wrong, each told in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from worker_helpers import alive, make_spec, output, run, text_of

from jupyter_mlops.core.states import RunState
from jupyter_mlops.worker import run_attempt
from jupyter_mlops.worker.outputs import OutputKeeper


def statuses(tmp_path: Path) -> list[str]:
    return [cell.metadata.papermill.status for cell in output(tmp_path).cells]


def test_a_cell_that_raises(tmp_path: Path) -> None:
    result = run(tmp_path, "x = 1", "def f():\n    raise ValueError('too bad\\nsecond line')", "f()", "y = 2")
    assert result.state == RunState.FAILED
    assert result.error is not None
    assert result.error.name == "ValueError"
    assert result.error.message == "Cell 3 of 4 raised ValueError: too bad"
    assert result.error.cell == 2
    assert "\x1b" not in result.error.traceback and "raise ValueError" in result.error.traceback
    assert (result.cell, result.cells) == (2, 4)
    assert statuses(tmp_path) == ["completed", "completed", "failed", "pending"]


def test_the_index_counts_cells_that_papermill_put_in(tmp_path: Path) -> None:
    result = run(tmp_path, "1 / 0", parameters={"a": 1}, parameters_cell="a = 0")
    assert result.error is not None and result.error.cell == 2
    assert output(tmp_path).cells[2].source == "1 / 0"


def test_a_long_traceback_is_shortened(tmp_path: Path) -> None:
    result = run(tmp_path, "raise ValueError('é' * 200_000)")
    assert result.error is not None
    assert len(result.error.traceback.encode()) <= 20_000
    assert len(result.error.message) < 400


def test_an_exception_that_the_notebook_expects(tmp_path: Path) -> None:
    spec = make_spec(tmp_path, "1 / 0", "x = 1", metrics=["x"])
    path = Path(spec.notebook)
    path.write_text(path.read_text().replace('"metadata": {},', '"metadata": {"tags": ["raises-exception"]},', 1))
    result = run_attempt(spec, lambda event: None)
    assert (result.state, result.metrics) == (RunState.SUCCEEDED, {"x": 1})


def test_sys_exit_3(tmp_path: Path) -> None:
    result = run(tmp_path, "import sys", "sys.exit(3)", "x = 1")
    assert result.state == RunState.FAILED
    assert result.error is not None
    assert (result.error.name, result.error.message, result.error.cell) == (
        "Exit",
        "Cell 2 of 3 exited with 3.",
        1,
    )


@pytest.mark.parametrize("code", ["import sys; sys.exit()", "import sys; sys.exit(0)", "exit()"])
def test_leaving_well_is_a_success_that_says_so(tmp_path: Path, code: str) -> None:
    result = run(tmp_path, "x = 1", code, "y = 2")
    assert (result.state, result.error) == (RunState.SUCCEEDED, None)
    assert result.warnings == ["The notebook ended itself in cell 2 of 3; the rest was not run."]
    assert statuses(tmp_path) == ["completed", "completed", "pending"]


def test_a_kernel_that_kills_itself_with_signal_9(tmp_path: Path) -> None:
    result = run(tmp_path, "import os", "print('words', flush=True); os.kill(os.getpid(), 9)", "x = 1", "y = 1")
    assert result.state == RunState.FAILED
    assert result.error is not None
    assert result.error.name == "KernelDied"
    assert result.error.message == (
        "The kernel was ended by signal 9 (SIGKILL) in cell 2 of 4; a frequent cause is that memory ran out."
    )
    assert result.error.cell == 1
    assert statuses(tmp_path) == ["completed", "failed", "pending", "pending"]
    assert output(tmp_path).cells[1].outputs[-1].evalue == result.error.message


def test_a_kernel_that_leaves_without_a_word(tmp_path: Path) -> None:
    result = run(tmp_path, "import os; os._exit(4)")
    assert result.error is not None
    assert (result.error.name, result.error.message) == ("Exit", "The kernel exited with 4 in cell 1 of 1.")


@pytest.mark.parametrize("code", ["import time; time.sleep(1000)", "while True: pass"])
def test_a_cell_that_hangs(tmp_path: Path, code: str) -> None:
    pid = tmp_path / "project" / "pid"
    result = run(tmp_path, "import os; open('pid', 'w').write(str(os.getpid()))", code, "x = 1", cell_timeout=1.5)
    assert result.state == RunState.FAILED
    assert result.error is not None
    assert (result.error.name, result.error.cell) == ("Timeout", 1)
    assert result.error.message == "Cell 2 of 3 took longer than 1.5 s and was ended."
    assert statuses(tmp_path) == ["completed", "failed", "pending"]
    assert not alive(int(pid.read_text()))


def test_a_run_that_takes_too_long(tmp_path: Path) -> None:
    cell = "import time; time.sleep(1)"
    result = run(tmp_path, *[cell] * 30, run_timeout=4.0, cell_timeout=20)
    assert result.error is not None and result.error.name == "Timeout"
    assert result.error.message == "The run took longer than 4 s and was ended."


def test_input_is_refused_at_once(tmp_path: Path) -> None:
    result = run(tmp_path, "input('name? ')", cell_timeout=30)
    assert result.error is not None and result.error.name == "StdinNotImplementedError"


def test_an_unknown_kernel(tmp_path: Path) -> None:
    result = run(tmp_path, "x = 1", kernel="nowhere")
    assert result.state == RunState.FAILED
    assert result.error is not None
    assert "'nowhere' is not installed here; installed are:" in result.error.message
    assert "python3" in result.error.message


def test_a_notebook_that_is_gone(tmp_path: Path) -> None:
    spec = make_spec(tmp_path, "x = 1")
    Path(spec.notebook).unlink()
    result = run_attempt(spec, lambda event: None)
    assert result.state == RunState.FAILED and result.error is not None
    assert result.error.name == "Internal"
    assert (tmp_path / "data/r1/1/result.json").exists()


def test_a_command_that_fails_in_bash(tmp_path: Path) -> None:
    result = run(tmp_path, "true", "(exit 3)", kernel="bash")
    assert result.error is not None
    assert (result.error.message, result.error.cell) == ("Cell 2 of 2 failed with exit status 3.", 1)


def printed(tmp_path: Path) -> int:
    return sum(len(text_of(cell)) for cell in output(tmp_path).cells)


def test_50_mb_of_output_are_kept(tmp_path: Path) -> None:
    result = run(tmp_path, "for i in range(50): print('x' * 999_999)", "for i in range(20_000): print(i, flush=True)")
    assert (result.state, result.warnings) == (RunState.SUCCEEDED, []), result
    assert printed(tmp_path) == 50_000_000 + len("".join(f"{i}\n" for i in range(20_000)))


def test_output_beyond_the_limit_is_cut_without_eating_memory(tmp_path: Path) -> None:
    before = own_memory()
    result = run(
        tmp_path,
        "for i in range(1000): print('x' * 999_999, flush=True)",
        "from IPython.display import display, HTML\nfor i in range(20): display(HTML('y' * 1_000_000))\nauc = 1",
        max_output=5_000_000,
        metrics=["auc"],
    )
    assert (result.state, result.metrics) == (RunState.SUCCEEDED, {"auc": 1}), result
    assert result.warnings == ["Output beyond 5 MB was left out; print less, or raise max_output."]
    done = output(tmp_path)
    assert "Output beyond 5 MB was left out" in text_of(done.cells[0])
    assert 5_000_000 <= printed(tmp_path) < 5_001_000
    assert not done.cells[1].outputs
    assert own_memory() - before < 300_000_000


def own_memory() -> int:
    """The most this process ever held, in bytes."""
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def test_output_that_is_cleared_does_not_count(tmp_path: Path) -> None:
    code = "from IPython.display import clear_output\nfor i in range(30):\n"
    code += "    clear_output(wait=True); print('x' * 100_000)"
    result = run(tmp_path, code, max_output=1_000_000)
    assert (result.state, result.warnings) == (RunState.SUCCEEDED, [])
    assert 100_000 <= printed(tmp_path) < 101_000


def test_a_display_that_changes_in_place(tmp_path: Path) -> None:
    code = "from IPython.display import display\nh = display('a', display_id=True)\nh.update('b')"
    assert run(tmp_path, code).state == RunState.SUCCEEDED
    outputs: list[Any] = output(tmp_path).cells[0].outputs
    assert [out.data["text/plain"] for out in outputs] == ["'b'"]


@pytest.mark.parametrize(
    ("display", "said"),
    [
        ("publish_display_data({'text/plain': 5})", "['data']['text/plain'] 5 is not valid"),
        ("publish_display_data({'image/png': {'a': 1}}, transient={'display_id': 'x'})", "['data']['image/png']"),
        (
            "publish_display_data({'text/plain': 'a'}, transient={'display_id': 'x'}); "
            "publish_display_data({'text/plain': None}, transient={'display_id': 'x'}, update=True)",
            "['data']['text/plain'] None is not valid",
        ),
    ],
)
def test_a_display_that_a_notebook_cannot_hold_is_left_out_and_said(tmp_path: Path, display: str, said: str) -> None:
    result = run(
        tmp_path,
        f"from IPython.display import publish_display_data\n{display}\nprint('on')",
        "score = 3",
        metrics=["score"],
    )
    assert (result.state, result.metrics) == (RunState.SUCCEEDED, {"score": 3})
    assert len(result.warnings) == 1
    assert f"A display was left out, because a notebook cannot hold it: {said}" in result.warnings[0]
    text = text_of(output(tmp_path).cells[0])
    assert text.endswith("on\n") and "left out" in text


def test_what_goes_wrong_beside_a_living_kernel_is_said_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any, **named: Any) -> None:
        raise LookupError("a defect in keeping outputs")

    monkeypatch.setattr(OutputKeeper, "add", broken)
    result = run(tmp_path, "print(1)")
    assert result.error is not None
    assert (result.error.name, result.error.message) == ("Internal", "LookupError: a defect in keeping outputs")
