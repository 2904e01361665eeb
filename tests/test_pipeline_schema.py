"""The JSON schema of pipeline files, and what docs/pipeline-file.md says of them, against the code."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from jupyter_mlops.core.pipelines.definition import Alerts, PipelineDefinition, Retention, Step, StepSweep
from jupyter_mlops.core.pipelines.schema import schema
from jupyter_mlops.core.pipelines.text import check_text
from jupyter_mlops.core.pipelines.yaml_reader import read
from jupyter_mlops.core.runs import SecretRef

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "pipeline-file.md").read_text()
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
WRONG = re.findall(r"^```yaml wrong\n(.*?)^```\n\n```text problems\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
TABLES = {
    "The file": PipelineDefinition,
    "A step": Step,
    "A sweep": StepSweep,
    "Secrets": SecretRef,
    "Alerts": Alerts,
    "Retention": Retention,
}


def valid(value: Any) -> bool:
    return bool(jsonschema.Draft202012Validator(schema()).is_valid(value))


def test_the_file_is_what_the_code_prints() -> None:
    file = ROOT / "jupyter_mlops" / "core" / "pipeline.schema.json"
    assert json.loads(file.read_text()) == schema()


def test_it_is_a_schema_that_describes_every_record() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    records = schema()["$defs"]
    assert all(record["description"] and "Attributes" not in record["description"] for record in records.values())
    assert all("description" in field for field in records["Step"]["properties"].values())
    assert records["PipelineDefinition"]["properties"]["deadline"]["description"] == (
        "seconds one run may take, or a time such as `6h`"
    )
    assert not re.search(r"``|:class:", json.dumps(schema()))


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_are_right_to_the_code_and_to_the_schema(text: str) -> None:
    check = check_text(text)
    assert check.problems == []
    assert check.definition is not None
    assert valid(read(text).value)


@pytest.mark.parametrize(
    ("field", "written", "number"),
    [
        ("timeout", "90", 90),
        ("timeout", "90s", 90),
        ("timeout", "10m", 600),
        ("cell_timeout", "10min", 600),
        ("timeout", "2h30m", 9_000),
        ("timeout", "1 d 1.5 h", 91_800),
        ("retry_delay", "5m", 300),
        ("memory", "4GB", 4_000_000_000),
        ("memory", "512MiB", 536_870_912),
        ("memory", "1.5 kB", 1_500),
        ("timeout", "10x", None),
        ("timeout", "m", None),
        ("timeout", "-10m", None),
        ("timeout", "4GB", None),
        ("memory", "4Gb", None),
        ("memory", "10m", None),
        ("memory", "1.2.3GB", None),
    ],
)
def test_times_and_sizes_are_written_in_words(field: str, written: str, number: float | None) -> None:
    text = f"steps:\n  a:\n    notebook: a.ipynb\n    {field}: {written}\n"
    check = check_text(text)
    assert valid(read(text).value) is (number is not None)
    if number is None:
        assert re.search(rf"{field} must be a number of (seconds|bytes), or a", check.problems[0].message)
        assert (check.problems[0].line, len(check.problems)) == (4, 1)
    else:
        assert check.definition is not None
        assert getattr(check.definition.steps["a"], field) == number


def test_the_example_goes_from_collecting_to_the_gate() -> None:
    graph = check_text(EXAMPLES[0]).graph
    assert [(step.name, step.after, step.layer) for step in graph] == [
        ("collect", [], 0),
        ("prepare", ["collect"], 1),
        ("train", ["prepare"], 2),
        ("evaluate", ["train", "prepare"], 3),
        ("gate", ["train", "evaluate"], 4),
        ("tell", ["gate"], 5),
    ]


@pytest.mark.parametrize(("text", "problems"), WRONG)
def test_problems_are_said_as_they_are_shown(text: str, problems: str) -> None:
    found = [f"{problem.line}:{problem.column} {problem.message}" for problem in check_text(text).problems]
    assert found == problems.splitlines()


def test_there_are_examples_of_both() -> None:
    assert len(EXAMPLES) >= 2 and len(WRONG) >= 2


@pytest.mark.parametrize(("title", "record"), TABLES.items(), ids=TABLES)
def test_every_field_is_documented_with_its_default(title: str, record: type[msgspec.Struct]) -> None:
    (section,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    rows = dict(re.findall(r"^\| `(\w+)` \| (\S.*?)?\s*\|", section, re.MULTILINE))
    fields = {field.name: field for field in msgspec.structs.fields(record)}
    assert sorted(rows) == sorted(fields)
    for name, default in rows.items():
        field = fields[name]
        assert (default == "required") == field.required
        if default.startswith("`"):
            value = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
            assert read(default.strip("`")).value == value
        elif not field.required:
            assert field.default in ("", None) or isinstance(field.default, msgspec.Struct)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "steps: {}",
        "steps: [a]",
        "steps: {a b: {notebook: a.ipynb}}",
        "steps: {a: {}}",
        "steps: {a: {notebook: a.py}}",
        "steps: {a: {notebook: a.ipynb, retrys: 1}}",
        "steps: {a: {notebook: a.ipynb, retries: three}}",
        "steps: {a: {notebook: a.ipynb, run_if: fail}}",
        "steps: {a: {notebook: a.ipynb, secrets: {A: {}}}}",
        "steps: {a: {notebook: a.ipynb, secrets: {A: {env: x, file: y}}}}",
        "steps: {a: {notebook: a.ipynb, env: {A: [1]}}}",
        "steps: {a: {notebook: a.ipynb, sweep: {space: {x: 1}}}}",
        "{steps: {a: {notebook: a.ipynb}}, parameters: {a-b: 1}}",
        "{steps: {a: {notebook: a.ipynb}}, alerts: {on: [failures]}}",
    ],
)
def test_the_schema_refuses_what_the_code_refuses(text: str) -> None:
    assert check_text(text).problems
    assert not valid(read(text).value)
