"""Sharing cells over the REST API of a real server: what the form is shown, what is stored, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from api_helpers import Api
from conftest import write_notebook

from jupyter_mlops.store import Store
from jupyter_mlops.tracking.fields import sweep_tags

PATH = "sub/train.ipynb"
CELLS = ("depth: int = 3\nrate = 0.1", "data = list(range(10))", "model = (data, depth)", "auc = rate")


@pytest.fixture
def api(jp_fetch: Any) -> Api:
    return Api(jp_fetch)


@pytest.fixture
def train(jp_root_dir: Path) -> Path:
    return write_notebook(jp_root_dir / PATH, *CELLS)


async def test_the_check_tells_which_cells_can_be_shared(api: Api, train: Path) -> None:
    async def prefix(**space: str) -> Any:
        return (await api.done("POST", "space", {"path": PATH, "space": space}))["prefix"]

    assert await prefix(depth="1:3") == {
        "end": 2,
        "cells": ["depth: int = 3", "data = list(range(10))"],
        "reason": "Code cell 3 (“model = (data, depth)”) uses depth, which this sweep varies.",
    }
    assert (await prefix(depth="1", rate="1,2"))["end"] == 3
    assert (await prefix(depth="1:3", rate="1,2"))["end"] == 2
    assert (await prefix())["reason"].startswith("This sweep varies nothing")


@pytest.mark.parametrize(
    "request_", [{"space": {"depth": "x"}}, {"space": {"depth": "1:3"}, "sampler": {"kind": "random"}}]
)
async def test_a_space_with_errors_has_no_prefix(api: Api, train: Path, request_: dict[str, Any]) -> None:
    check = await api.done("POST", "space", {"path": PATH} | request_)
    assert check["error"]
    assert check["prefix"] == {"end": 0, "cells": [], "reason": ""}


async def test_a_sweep_shares_cells_only_where_it_was_asked_for(api: Api, train: Path, store: Store) -> None:
    request = {"path": PATH, "space": {"depth": "1:3"}}
    alone = await api.done("POST", "sweeps", request)
    shared = await api.done("POST", "sweeps", request | {"shared_prefix": True})
    assert (alone["prefix"], shared["prefix"]) == (0, 2)
    assert (await api.done("GET", f"sweeps/{shared['id']}"))["prefix"] == 2
    # the form keeps what was asked for
    assert (await api.done("GET", "notebook", params={"path": PATH}))["draft"]["shared_prefix"] is True
    tags = [sweep_tags(store.sweeps.get(sweep["id"])).get("mlops.shared_prefix") for sweep in (alone, shared)]
    assert tags == [None, "2"]


async def test_a_sweep_that_cannot_share_cells_is_refused_with_the_reason(api: Api, train: Path, store: Store) -> None:
    notebook = json.loads(train.read_text())
    notebook["cells"].insert(0, notebook["cells"][0] | {"id": "first", "metadata": {}, "source": "exec('x = 1')"})
    train.write_text(json.dumps(notebook))
    code, content = await api.ask("POST", "sweeps", {"path": PATH, "space": {"depth": "1:3"}, "shared_prefix": True})
    reason = "Code cell 1 (“exec('x = 1')”) uses exec, which cannot be seen through."
    assert code == 400
    assert content == {"message": f"This sweep cannot share cells. {reason}", "fields": {"shared_prefix": reason}}
    assert store.sweeps.find() == []
