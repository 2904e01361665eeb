"""Prints ``openapi.json`` from the table of routes and the records.

``python -m jupyter_mlops.api.openapi > openapi.json``
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from .. import __version__
from ..core.messages import Message
from ..core.pipelines.requests import MAX_KEY_LENGTH
from ..core.service import API_VERSION, ErrorBody
from .handlers import ROUTES
from .routes import Operation, Route

_FLAG, _NUMBER = {"enum": ["", "0", "1"]}, {"pattern": "^[0-9]{1,9}$"}
_SCHEMAS: dict[str, dict[str, Any]] = {
    "path": {"maxLength": 4_096},
    **dict.fromkeys(("archived", "deleted"), _FLAG),
    **dict.fromkeys(("older", "newer", "first", "attempt"), _NUMBER),
    "Idempotency-Key": {"maxLength": MAX_KEY_LENGTH},
    "since": {"pattern": "^[0-9]{1,18}$"},
}
_REFERENCE = "#/components/schemas/{name}"
_MESSAGE = {
    "title": "Message",
    "description": "A sentence for a person, in English, with the template and values that make it.",
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "template": {"type": "string"},
        "values": {"type": "object"},
    },
    "required": ["text", "template", "values"],
}


def document() -> dict[str, Any]:
    """The whole description."""
    records = {ErrorBody}
    for route in ROUTES:
        for operation in route.operations.values():
            records |= {kind for kind in (operation.answers, operation.takes) if kind not in (None, dict, str)}
    ordered = sorted(records, key=lambda kind: str(kind.__name__))
    _, components = msgspec.json.schema_components(ordered, schema_hook=_message, ref_template=_REFERENCE)
    return {
        "openapi": "3.1.0",
        "info": {"title": "jupyter-mlops", "version": __version__, "x-api-version": API_VERSION},
        "paths": {f"/mlops/{route.path}": _path(route) for route in ROUTES},
        "components": {"schemas": dict(sorted({**components, "Message": _MESSAGE}.items()))},
    }


def _path(route: Route) -> dict[str, Any]:
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string"}
            | ({"enum": list(route.choices[name])} if name in route.choices else {"pattern": r"^[\w-]+$"}),
        }
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    described = {verb: _operation(operation) for verb, operation in route.operations.items()}
    return {**({"parameters": parameters} if parameters else {}), **described}


def _operation(operation: Operation) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": operation.summary}
    if operation.answers is not None:
        answer["content"] = _json(operation.answers)
    described: dict[str, Any] = {
        "summary": operation.summary,
        "responses": {
            str(operation.status): answer,
            "default": {"description": "What was wrong", "content": _json(ErrorBody)},
        },
    }
    asked = [("query", name) for name in operation.query] + [("header", name) for name in operation.headers]
    if asked:
        described["parameters"] = [
            {"name": name, "in": place, "schema": {"type": "string", **_SCHEMAS[name]}} for place, name in asked
        ]
    if operation.takes is not None:
        # with defaults for all fields, the body may be left out
        required = any(field.required for field in msgspec.structs.fields(operation.takes))
        described["requestBody"] = {"required": required, "content": _json(operation.takes)}
    return described


def _message(kind: type) -> dict[str, Any]:
    if kind is not Message:
        raise NotImplementedError(f"{kind.__name__} has no schema")
    return {"$ref": _REFERENCE.format(name="Message")}


def _json(kind: Any) -> dict[str, Any]:
    if kind is str:
        return {"text/plain": {"schema": {"type": "string"}}}
    schema = {"type": "object"} if kind is dict else {"$ref": _REFERENCE.format(name=kind.__name__)}
    return {"application/json": {"schema": schema}}


def main() -> None:
    """Print it."""
    print(json.dumps(document(), indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
