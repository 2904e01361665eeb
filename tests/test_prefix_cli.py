"""``--share-prefix`` and where a run's time went, as a terminal and a script see them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_cli import Cli

from jupyter_mlops.core.runs import KernelStart, Run, Timing
from jupyter_mlops.core.states import RunState

CELLS = ("a: int = 1", "data = list(range(10))", "score = a")
WORDS = ("sweep", "work/train.ipynb", "-p", "a=1:3", "--share-prefix", "--no-wait")
SHOWN = [
    "The first 2 code cells run once a slot, not in each run:",
    "  a: int = 1",
    "  data = list(range(10))",
    "Code cell 3 (“score = a”) uses a, which this sweep varies.",
]


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    """One that starts no service: what is looked at here is stored before anything runs."""
    cli = Cli(tmp_path)
    with (tmp_path / "config" / "jupyter_server_config.py").open("a") as config:
        config.write("c.MlopsSettings.start_service = False\nc.MlopsSettings.confirm_runs = 5\n")
    cli.notebook("train.ipynb", *CELLS)
    yield cli
    cli.close()


def test_a_script_is_told_and_not_asked(cli: Cli) -> None:
    sweep_id = cli(*WORDS).strip()
    assert cli.said.splitlines()[-4:] == SHOWN
    assert cli.store.sweeps.get(sweep_id).prefix == 2
    assert "shares the first 2 code cells, once a slot" in re.sub(" +", " ", cli("sweep", "show", "latest"))


def test_json_is_one_document_and_says_no_more(cli: Cli) -> None:
    document = cli.json(*WORDS)
    assert document["sweep"]["prefix"] == 2
    assert "once a slot" not in cli.said


def test_without_the_word_nothing_is_shared(cli: Cli) -> None:
    words = [word for word in WORDS if word != "--share-prefix"]
    assert cli.store.sweeps.get(cli(*words).strip()).prefix == 0
    assert "once a slot" not in cli.said


@pytest.mark.parametrize(("typed", "code", "prefixes"), [("y", 0, [2]), ("n", 2, []), ("", 2, [])])
def test_a_person_is_shown_the_cells_and_asked(cli: Cli, typed: str, code: int, prefixes: list[int]) -> None:
    ended, shown = cli.in_terminal(*WORDS, typed=typed)
    assert ended == code, shown
    assert "\n".join(SHOWN) in shown
    assert shown.count("Share these cells? [y/N]") == 1
    assert ("Nothing was started." in shown) == (not prefixes)
    assert [sweep.prefix for sweep in cli.store.sweeps.find()] == prefixes


def test_who_says_yes_beforehand_is_not_asked(cli: Cli) -> None:
    ended, shown = cli.in_terminal(*WORDS, "--yes", typed="n")
    assert (ended, "[y/N]" in shown) == (0, False), shown
    assert "\n".join(SHOWN) in shown


def test_many_runs_are_asked_about_as_well(cli: Cli) -> None:
    words = [word.replace("1:3", "1:9") for word in WORDS]
    ended, shown = cli.in_terminal(*words, typed="y")
    assert ended == 0, shown
    assert shown.index("Share these cells?") < shown.index("This makes 9 runs. Start them?")


def test_what_cannot_be_shared_is_refused(cli: Cli) -> None:
    cli.notebook("train.ipynb", "a: int = 1\n!ls", "score = a")
    assert cli(*WORDS, code=2) == ""
    assert "This sweep cannot share cells. Code cell 1 (“a: int = 1”) holds “!ls”" in cli.said
    assert cli.store.sweeps.find() == []


@pytest.mark.parametrize(
    ("timing", "start", "reason", "lines"),
    [
        (
            Timing(queue=0.1, start=0.0204, cells=12.3, finish=0.052),
            "warm",
            "",
            ["time queue 0.1 s, start 0.02 s, cells 12 s, finish 0.052 s", "kernel warm"],
        ),
        (
            Timing(cells=2.25),
            "fresh",
            "the kernel is not an ipykernel",
            ["time queue 0 s, start 0 s, cells 2.2 s, finish 0 s", "kernel fresh: the kernel is not an ipykernel"],
        ),
        (None, "", "", []),
    ],
)
def test_a_runs_details_say_where_its_time_went(
    cli: Cli, timing: Timing | None, start: KernelStart, reason: str, lines: list[str]
) -> None:
    sweep_id = cli(*WORDS).strip()
    run = Run(
        id=f"{sweep_id[:12]}-1",
        sweep_id=sweep_id,
        index=0,
        state=RunState.SUCCEEDED,
        timing=timing,
        kernel_start=start,
        kernel_reason=reason,
    )
    cli.store.runs.add(sweep_id, [run])
    shown = [re.sub(" +", " ", line).strip() for line in cli("sweep", "show", "latest-1").splitlines()]
    assert [line for line in shown if line.startswith(("time ", "kernel "))] == lines
