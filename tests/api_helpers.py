"""Asks a real server, and holds every answer to the description."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from conftest import write_notebook
from jsonschema import Draft202012Validator

from jupyter_mlops.api.openapi import document
from jupyter_mlops.api.pipelines import PIPELINE_ROUTES

DOCUMENT = document()
OPERATIONS = {
    (path.removeprefix("/mlops/"), verb.upper())
    for path, described in DOCUMENT["paths"].items()
    for verb in described
    if verb != "parameters"
}
PIPELINE_OPERATIONS = {(route.path, verb.upper()) for route in PIPELINE_ROUTES for verb in route.operations}


def valid(value: Any, schema: dict[str, Any]) -> None:
    Draft202012Validator(schema | {"components": DOCUMENT["components"]}).validate(value)


def operation_of(method: str, path: str) -> tuple[str, str] | None:
    """The described operation that a request is one of; fixed words go before what stands in braces."""
    for template in sorted(DOCUMENT["paths"], key=lambda path: path.count("{")):
        place = template.removeprefix("/mlops/")
        pattern = re.sub(r"{\w+}", r"[\\w-]+", place.replace(".", r"\."))
        if re.fullmatch(pattern, path) and (place, method) in OPERATIONS:
            return place, method
    return None


def as_read(body: bytes) -> Any:
    """An answer with its messages in English, as a page shows them."""
    return json.loads(
        body, object_hook=lambda value: value["text"] if isinstance(value.get("template"), str) else value
    )


@dataclass
class Api:
    """Asks the server."""

    fetch: Callable[..., Awaitable[Any]]
    succeeded: set[tuple[str, str]] = field(default_factory=set)

    async def ask(self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, **options: Any) -> Any:
        sent = raw if raw is not None else None if body is None else json.dumps(body).encode()
        answer = await self.fetch(
            "mlops", path, method=method, body=sent, allow_nonstandard_methods=True, raise_error=False, **options
        )
        is_text = answer.headers.get("Content-Type", "").startswith("text/plain")
        content = answer.body.decode() if is_text else json.loads(answer.body) if answer.body else None
        shown = as_read(answer.body) if answer.body and not is_text else content
        operation = operation_of(method, path)
        if answer.code >= 400:
            assert answer.headers["Content-Type"] == "application/json"
            valid(content, {"$ref": "#/components/schemas/ErrorBody"})
            assert shown["message"].strip(), answer
        else:
            assert operation is not None, f"{method} {path} is not described"
            described = DOCUMENT["paths"][f"/mlops/{operation[0]}"][method.lower()]["responses"][str(answer.code)]
            if "content" in described:
                valid(content, described["content"]["text/plain" if is_text else "application/json"]["schema"])
            else:
                assert content is None
            self.succeeded.add(operation)
        return answer.code, shown

    async def done(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        code, content = await self.ask(method, path, body, **options)
        assert code < 400, content
        return content

    async def refused(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, str]:
        code, content = await self.ask(method, path, body, **options)
        assert code >= 400, content
        return code, content["message"]


@pytest.fixture
def api(jp_fetch: Any) -> Api:
    return Api(jp_fetch)


@pytest.fixture
def train(jp_root_dir: Path) -> Path:
    return write_notebook(jp_root_dir / "sub" / "train.ipynb", "depth: int = 3  # how deep\nrate = 0.1", "auc = 1")
