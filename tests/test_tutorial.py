"""The tutorial as its reader follows it: the notebook's cells and every command, one after the other."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import write_notebook
from test_cli import Cli

PAGE = (Path(__file__).parents[1] / "docs" / "tutorial.md").read_text()
FIRST = ["pip install jupyter-mlops", "jupyter lab"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    cli = Cli(tmp_path)
    yield cli
    cli.close()


def test_every_command_does_what_the_tutorial_says(cli: Cli) -> None:
    write_notebook(cli.folder / "forecast.ipynb", *blocks("python"))
    first, *commands = [block.splitlines() for block in blocks("bash")]
    assert first == FIRST
    said = {}
    for line in (line for block in commands for line in block):
        program, name, *words = shlex.split(line)
        assert (program, name) == ("jupyter", "mlops"), line
        said[line.removeprefix("jupyter mlops ")] = cli(*words)
    assert said["sweep runs latest"].count("succeeded") == 5
    assert re.search(r"^  days +365 \(default\) *$", said["sweep show latest-1"], re.M)
    assert "alpha = 0.3" in Path(said["sweep open latest"].strip()).read_text()
    assert re.search(r"^  days +730 *$", said["pipeline show forecast-2"], re.M)
    assert "0 6 * * * Europe/Vienna" in said["schedule list forecast"]
    assert "forecast" in said["pipeline list"]
    assert "alpha: 0.3 → 0.5" in said["pipeline diff forecast 1 2"]
    assert "version 1 from now on" in said["pipeline rollback forecast"]
