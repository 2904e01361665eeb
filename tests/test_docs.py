"""What docs say and what the code has must be the same."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_mlops import __version__
from jupyter_mlops.cli.main import make_parser
from jupyter_mlops.settings import MlopsSettings

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def test_every_setting_is_documented_and_no_other() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "settings.md").read_text(), re.M)
    assert sorted(rows) == sorted(MlopsSettings.class_trait_names(config=True))


def test_defaults_are_those_of_the_code() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", (ROOT / "docs" / "settings.md").read_text(), re.M))
    rows.pop("data_dir")
    traits = MlopsSettings.class_traits(config=True)
    defaults = {name: traits[name].default_value for name in rows}
    # 600 stands for 600.0
    assert rows == {
        name: str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
        for name, value in defaults.items()
    }


def _commands(parser: argparse.ArgumentParser, words: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command and action with its parser."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for group in groups:
        for name, inner in group.choices.items():
            yield from _commands(inner, f"{words} {name}".strip())
    if not groups:
        yield words, parser


def test_every_command_and_option_is_documented_and_no_other() -> None:
    text = (ROOT / "docs" / "command-line.md").read_text()
    known = dict(_commands(make_parser()))
    for words, parser in known.items():
        assert re.search(rf"`{words}[` ]", text), words
        options = [option for action in parser._actions for option in action.option_strings if option != "--help"]
        for option in options:
            if option.startswith("--"):
                assert option in text, f"{words} {option}"
    first = {words.split()[0] for words in known}
    for row in re.findall(r"^\| (`.*?) \|", text, re.M):
        for words in re.findall(r"`([a-z]+)(?: ([a-z]+))?(?=[` ])", row):
            if words[0] in first and words[1]:
                assert " ".join(words) in known or words[0] in known, words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_variable_that_a_step_gets_is_documented_and_no_other() -> None:
    sources = [
        "services/sweeps/attempts.py",
        "services/pipelines/steps.py",
        "worker/kernel/environment.py",
    ]
    given = {
        name for path in sources for name in re.findall(r"\bMLOPS_[A-Z_]+", (ROOT / "jupyter_mlops" / path).read_text())
    }
    page = (ROOT / "docs" / "pipelines.md").read_text().partition("## What a step finds in its environment")[2]
    rows = re.findall(r"^\| (`.*?`) \|", page.partition("\n## ")[0], re.M)
    named = {name for row in rows for name in re.findall(r"`(MLOPS_\w+)`", row)}
    # between a host and its workers alone, or between a worker and its probe
    assert named == given - {"MLOPS_ONE_DEVICE", "MLOPS_CURVES", "MLOPS_MLFLOW_EMBEDDED"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_pages_lead_to_headings(page: Path) -> None:
    for path, anchor in re.findall(r"\]\(([^)#\s]*)#([^)]+)\)", page.read_text()):
        if "://" not in path:
            text = (page.parent / path if path else page).read_text()
            headings = {
                re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
                for heading in re.findall(r"^#+ (.*)$", text, re.M)
            }
            assert anchor in headings, f"{page.name} links to {path}#{anchor}"


def test_versions_are_one() -> None:
    import json

    assert json.loads((ROOT / "package.json").read_text())["version"] == __version__


def test_files_that_the_architecture_names_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    folders = [ROOT, *(ROOT / "jupyter_mlops" / place for place in ("", "core", "services/pipelines")), ROOT / "src"]
    named = set(re.findall(r"`([\w/.-]+\.(?:py|tsx?|mjs|css))\b", text))
    assert len(named) > 30
    assert not {name for name in named if not any((folder / name).exists() for folder in folders)}
