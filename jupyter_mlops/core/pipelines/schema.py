"""Prints ``pipeline.schema.json``, with which editors complete and check pipeline files, from the records.

``python -m jupyter_mlops.core.pipelines.schema > jupyter_mlops/core/pipeline.schema.json``
"""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

import msgspec

from ..values import pattern_of
from .definition import PipelineDefinition
from .references import NAME, STEP_NAME
from .type_checker import MEASURED

_ITEM = re.compile(r"^    (\w+(?:, \w+)*): (.*(?:\n {8}.*)*)", re.MULTILINE)
# “how many runs at once; ``deadline``: seconds one run may take”
_SECOND = re.compile(r"; ``(\w+)``: ")


def schema() -> dict[str, Any]:
    """The JSON schema of a pipeline file; it accepts what :func:`~.text.check_text` accepts."""
    (reference,), records = msgspec.json.schema_components([PipelineDefinition], ref_template="#/$defs/{name}")
    for record in records.values():
        _describe(record)
    step, sweep = records["Step"]["properties"], records["StepSweep"]["properties"]
    pipeline = records["PipelineDefinition"]["properties"]
    pipeline["steps"] |= {"minProperties": 1, "propertyNames": {"pattern": _whole(STEP_NAME)}}
    pipeline["parameters"]["propertyNames"] = {"pattern": _whole(NAME)}
    step["notebook"]["pattern"] = r"\.ipynb$"
    records["SecretRef"] |= {"minProperties": 1, "maxProperties": 1}
    # numbers and lists are converted to text as written
    step["env"]["additionalProperties"] = step["files"]["additionalProperties"] = {
        "type": ["string", "number", "boolean"]
    }
    sweep["space"]["additionalProperties"] = {"type": ["string", "number", "boolean", "array"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Pipeline",
        **reference,
        "$defs": records,
    }


def _describe(record: dict[str, Any]) -> None:
    """Add the descriptions of attributes from the record's docstring."""
    whole, _, attributes = inspect.cleandoc(record.get("description", "")).partition("\n\nAttributes:\n")
    record["description"] = _plain(_text(whole))
    said: dict[str, str] = {}
    for names, text in _ITEM.findall(attributes):
        first, *others = _SECOND.split(_text(text))
        said |= dict.fromkeys(names.split(", "), first) | dict(zip(others[::2], others[1::2], strict=True))
    # an attribute without its own description has that of the attribute whose description mentions it
    spoken = {name: text for text in said.values() for name in re.findall(r"``(\w+)``", text)}
    for name, field in record["properties"].items():
        if name in MEASURED:
            number = field.pop("anyOf", None) or [{"type": field.pop("type")}]
            field["anyOf"] = [*number, {"type": "string", "pattern": pattern_of(MEASURED[name])}]
        if name in said or name in spoken:
            field["description"] = _plain(said.get(name) or spoken[name])


def _text(text: str) -> str:
    return re.sub(r"\s*\n\s*", " ", text).strip()


def _plain(text: str) -> str:
    text = re.sub(r":\w+:`~?([^`]+)`", lambda match: match[1].rsplit(".", 1)[-1], text)
    return text.replace("``", "`").rstrip(".")


def _whole(pattern: re.Pattern[str]) -> str:
    return f"^{pattern.pattern}$"


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2, ensure_ascii=False))
