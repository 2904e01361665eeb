"""Compares two versions of a pipeline, as texts for the user."""

from __future__ import annotations

import difflib
import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from ...core.errors import InvalidInputError
from ...core.notebook.reading import read_notebook
from ...core.pipelines.definition import PipelineDefinition
from ...core.pipelines.records import Version
from ...core.pipelines.requests import VersionDiff
from .packages import drift

Blob = Callable[[str], bytes]
_LONGEST = 1_000_000  # bytes; comparing more takes too long
_TOO_LONG = "This file is too long to compare."
_NOTHING: Any = object()
# metadata that programs write at each save or run
_NOISE = frozenset({"execution", "papermill", "ExecuteTime", "scrolled", "collapsed", "outputId", "executionInfo"})
_KEPT = ("kernelspec", "mlops")
_ADDRESS = re.compile(r"^([\w.+-]+)://.*$", re.S)


def diff(older: Version, newer: Version, blob: Blob) -> VersionDiff:
    """Compare two versions of a pipeline.

    Args:
        blob: returns bytes by their sha256.
    """
    changed = sorted(path for path in older.files.keys() & newer.files if older.files[path] != newer.files[path])
    data = {*older.data, *newer.data}
    notebooks: dict[str, str] = {}
    code: dict[str, str] = {}
    for path in changed:
        if path in data:
            continue
        before, after = blob(older.files[path]), blob(newer.files[path])
        if path.endswith(".ipynb"):
            text, kind = notebook_diff(before, after), notebooks
        else:
            text, kind = text_diff(path, before, after), code
        if text:
            kind[path] = text
    return VersionDiff(
        older=older.number,
        newer=newer.number,
        parameters=list(_definitions(older.definition, newer.definition)),
        environment=list(_environments(older, newer, blob)),
        files=list(_files(older, newer, data)),
        notebooks=notebooks,
        code=code,
    )


# -- the definition ----------------------------------------------------------------------------


def _definitions(older: PipelineDefinition, newer: PipelineDefinition) -> Iterator[str]:
    before, after = _as_written(older), _as_written(newer)
    steps_before, steps_after = before.pop("steps"), after.pop("steps")
    yield from _changes("", before.pop("parameters"), after.pop("parameters"))
    for name in dict.fromkeys([*steps_before, *steps_after]):
        if name not in steps_after:
            yield f"{name}: the step is gone"
        elif name not in steps_before:
            yield f"{name}: a new step, {steps_after[name]['notebook']}"
        else:
            one, other = steps_before[name], steps_after[name]
            # a step's parameters are what a person looks for: they go without a word between
            yield from _changes(name, one.pop("parameters"), other.pop("parameters"))
            yield from _changes(name, one, other)
    yield from _changes("", before, after)
    if list(steps_before) != list(steps_after) and set(steps_before) == set(steps_after):
        yield f"order of the steps: {', '.join(steps_before)} → {', '.join(steps_after)}"


def _as_written(definition: PipelineDefinition) -> dict[str, Any]:
    """A definition without what it leaves to the defaults of None, and with 600 where it has 600.0."""

    def plain(value: Any) -> Any:
        if not isinstance(value, dict):
            return int(value) if isinstance(value, float) and value.is_integer() else value
        # of parameters, types and values of None tell versions apart
        return {key: part if key == "parameters" else plain(part) for key, part in value.items() if part is not None}

    written: dict[str, Any] = plain(msgspec.to_builtins(definition))
    return written


def _changes(name: str, older: Any, newer: Any) -> Iterator[str]:
    if isinstance(older, dict) and isinstance(newer, dict):
        for key in dict.fromkeys([*older, *newer]):
            yield from _changes(f"{name}.{key}" if name else key, older.get(key, _NOTHING), newer.get(key, _NOTHING))
    elif older != newer or type(older) is not type(newer):
        yield f"{name}: {_shown(name, older)} → {_shown(name, newer)}"


def _shown(name: str, value: Any) -> str:
    if value is _NOTHING:
        return "absent"
    if name == "alerts.to":
        # such an address holds a password or token
        value = [_ADDRESS.sub(r"\1://…", text) if isinstance(text, str) else text for text in value]
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str)


# -- environment and files ---------------------------------------------------------------------


def _environments(older: Version, newer: Version, blob: Blob) -> Iterator[str]:
    kernels = sorted(older.lock.keys() | newer.lock)
    for kernel in kernels:
        before, after = (version.lock.get(kernel, "") for version in (older, newer))
        name = f"{kernel}: " if len(kernels) > 1 else ""
        if before == after:
            continue
        if before and after:
            yield from (name + change for change in drift(blob(before).decode(), blob(after).decode()))
        else:
            yield f"kernel {kernel}: {'recorded' if after else 'not recorded any more'}"


def _files(older: Version, newer: Version, data: set[str]) -> Iterator[str]:
    for path in sorted(older.files.keys() | newer.files):
        before, after = older.files.get(path), newer.files.get(path)
        if before != after:
            what = "new" if before is None else "gone" if after is None else "changed"
            yield f"{path}: {what}{' data' if path in data else ''}"


# -- sources -----------------------------------------------------------------------------------


def text_diff(path: str, older: bytes, newer: bytes) -> str:
    """A unified difference of two texts; empty for what is none."""
    if max(len(older), len(newer)) > _LONGEST:
        return _TOO_LONG
    if b"\0" in older or b"\0" in newer:
        return ""
    before, after = (data.decode(errors="replace").splitlines() for data in (older, newer))
    return "\n".join(difflib.unified_diff(before, after, f"{path} (older)", f"{path} (newer)", lineterm=""))


def notebook_diff(older: bytes, newer: bytes) -> str:
    """What nbdime says of two notebooks' cells; empty where only outputs differ."""
    try:
        before, after = (_bare(read_notebook(data)) for data in (older, newer))
    except InvalidInputError:
        return text_diff("notebook", older, newer)
    if max(len(json.dumps(notebook)) for notebook in (before, after)) > _LONGEST:
        return _TOO_LONG
    # slow to import
    import nbformat
    from nbdime.diffing.notebooks import diff_notebooks
    from nbdime.prettyprint import PrettyPrintConfig, pretty_print_diff

    one, other = nbformat.from_dict(before), nbformat.from_dict(after)
    out = io.StringIO()
    found = diff_notebooks(one, other)
    # start no external diff program
    config = PrettyPrintConfig(out=out, use_git=False, use_diff=False, use_color=False)
    pretty_print_diff(one, found, "", config)
    return out.getvalue().strip("\n")


def _bare(notebook: dict[str, Any]) -> dict[str, Any]:
    """A notebook without outputs and generated metadata."""
    metadata = notebook.get("metadata")
    kept = {name: metadata[name] for name in _KEPT if name in metadata} if isinstance(metadata, dict) else {}
    return {"nbformat": 4, "nbformat_minor": 4, "metadata": kept, "cells": [_cell(cell) for cell in notebook["cells"]]}


def _cell(cell: dict[str, Any]) -> dict[str, Any]:
    metadata = cell.get("metadata")
    source = cell.get("source", "")
    bare: dict[str, Any] = {
        "cell_type": cell.get("cell_type", "code"),
        "source": "".join(map(str, source)) if isinstance(source, list) else str(source),
        "metadata": {name: value for name, value in metadata.items() if name not in _NOISE}
        if isinstance(metadata, dict)
        else {},
    }
    # without ids, which differ when a notebook was rewritten
    return bare | ({"outputs": [], "execution_count": None} if bare["cell_type"] == "code" else {})
