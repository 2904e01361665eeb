"""What the tasks of an exported DAG do when they run.

The text of this file below its imports is put into each DAG as it stands, so it uses the standard library and papermill
alone.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# -- what a DAG is given -----------------------------------------------------------------------


class SkippedError(Exception):
    """It is not the step's turn; says why."""


@dataclass
class Run:
    """One try of one step in one run of the DAG.

    ``parameters`` are those of the DAG's run, with ``scheduled_time``; ``outputs`` are by step.
    """

    pipeline: str
    run_id: str
    attempt: int
    parameters: dict[str, Any]
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    index: int = -1

    def value(self, step: str, name: str) -> Any:
        """A parameter of the pipeline, where ``step`` is empty, or what a step handed on."""
        if not step:
            return self.parameters[name]
        if step not in self.outputs:
            raise LookupError(f"“{step}” has left nothing: it did not run.")
        if name not in self.outputs[step]:
            raise LookupError(f"“{step}” left no “{name}”; it left {', '.join(self.outputs[step]) or 'nothing'}.")
        return self.outputs[step][name]


def text(value: Any) -> str:
    """A value among text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# -- one notebook ------------------------------------------------------------------------------


def run_notebook(
    run: Run,
    step: str,
    notebook: Path,
    *,
    runs: Path,
    parameters: dict[str, Any],
    outputs: Iterable[str] = (),
    metrics: Iterable[str] = (),
    files: dict[str, str] | None = None,
    env: dict[str, str] | None = None,
    secrets: dict[str, dict[str, str]] | None = None,
    cell_timeout: float | None = None,
    reader: str = "",
) -> dict[str, dict[str, Any]]:
    """Execute a notebook in its own folder; what it hands on, and the numbers among its variables that were asked for.

    ``runs`` is the folder of executed notebooks and of the files they leave. ``reader`` is the source of
    ``read_variables``, which the kernel is asked for its variables with.
    """
    import nbformat
    import papermill

    names = [*outputs, *metrics]
    place = runs / run.pipeline / run.run_id.replace("/", "-") / step
    folder = place / (f"{run.index}-{run.attempt}" if run.index >= 0 else str(run.attempt))
    (folder / "files").mkdir(parents=True, exist_ok=True)
    written = folder / "outputs.json"
    variables = folder / "variables.json"
    source = nbformat.read(notebook, as_version=4)
    _one_place_for_values(source)
    kernelspec = source.metadata.get("kernelspec", {})
    if names and kernelspec.get("language", "python") == "python":
        source.cells.append(nbformat.v4.new_code_cell(_last_cell(reader, names, str(variables))))
    prepared = folder / "input.ipynb"
    nbformat.write(source, prepared)
    variables_of = {
        **(env or {}),
        **{name: secret(name, reference) for name, reference in (secrets or {}).items()},
        "MLOPS_RUN_DIR": str(folder / "files"),
        "MLOPS_OUTPUTS": str(written),
        "MLOPS_PIPELINE": run.pipeline,
        "MLOPS_PIPELINE_RUN": run.run_id,
        "MLOPS_STEP": step,
        "MLOPS_STEP_KEY": f"{run.run_id}-{step}",
        "MLOPS_ATTEMPT_ID": f"{run.run_id}-{folder.relative_to(place.parent)}",
        "MLOPS_SCHEDULED_TIME": str(run.parameters.get("scheduled_time", "")),
        "MLOPS_PROJECT": str(notebook.parent),
    }
    with environment(variables_of):
        papermill.execute_notebook(
            str(prepared),
            str(folder / "output.ipynb"),
            parameters,
            cwd=str(notebook.parent),
            progress_bar=False,
            execution_timeout=cell_timeout,
        )
    found = json.loads(variables.read_text("utf-8")) if variables.exists() else {"values": {}, "problems": {}}
    handed_on = {name: found["values"][name] for name in outputs if name in found["values"]}
    if written.exists():
        handed_on.update(json.loads(written.read_text("utf-8")))
    handed_on.update({name: one_file(folder / "files", pattern, name) for name, pattern in (files or {}).items()})
    for name in outputs:
        if name not in handed_on:
            raise LookupError(f"The output “{name}” {found['problems'].get(name, 'was not left by the notebook')}.")
    numbers = {name: value for name, value in found["values"].items() if name in metrics and is_number(value)}
    return {"metrics": numbers, "outputs": handed_on}


def _one_place_for_values(notebook: Any) -> None:
    """Leave papermill one tagged cell: it goes by the first, of any type, and by what an earlier run put in."""
    tags = {"parameters", "injected-parameters"}
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    read = next((cell for cell in code if "parameters" in cell.metadata.get("tags", [])), None)
    dropped = [cell for cell in code if cell is not read and "injected-parameters" in cell.metadata.get("tags", [])]
    notebook.cells = [cell for cell in notebook.cells if not any(cell is other for other in dropped)]
    for cell in notebook.cells:
        kept = ["parameters"] if cell is read else []
        cell.metadata["tags"] = kept + [tag for tag in cell.metadata.get("tags", []) if tag not in tags]


def _last_cell(reader: str, names: list[str], path: str) -> str:
    return (
        "# written by the export: hands on what later steps need\n"
        f"(lambda scope: (exec({reader!r}, scope), open({path!r}, 'w', encoding='utf-8').write("
        f"scope['read_variables'](globals(), {names!r}, 1_000_000))))({{'__name__': 'mlops'}});"
    )


@contextlib.contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """Variables of the environment, which the kernel inherits."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def secret(name: str, reference: dict[str, str]) -> str:
    """A secret's value, found where its reference says."""
    if reference.get("env"):
        found = os.environ.get(reference["env"])
    elif reference.get("file"):
        found = Path(reference["file"]).expanduser().read_text("utf-8").rstrip("\n")
    else:
        import keyring

        service, _, user = reference["keyring"].rpartition("/")
        found = keyring.get_password(service, user)
    if not found:
        raise LookupError(f"The secret “{name}” is not where it should be: {reference}.")
    return found


def one_file(folder: Path, pattern: str, name: str) -> str:
    """The path of the one file that a pattern matches."""
    found = [folder / pattern] if (folder / pattern).exists() else sorted(folder.glob(pattern))
    if len(found) != 1:
        raise LookupError(f"The output “{name}” is to be one file {pattern} in MLOPS_RUN_DIR; {len(found)} are there.")
    return str(found[0])


def is_number(value: Any) -> bool:
    """Whether runs can be compared by it."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


# -- sweeps ------------------------------------------------------------------------------------


def points(space: dict[str, list[Any]], count: int | None = None, seed: int = 0) -> list[dict[str, Any]]:
    """All combinations, the last name varying fastest; or ``count`` of them, drawn by ``seed``."""
    size = math.prod(len(values) for values in space.values())
    if count is None:
        return [dict(zip(space, chosen, strict=True)) for chosen in itertools.product(*space.values())]
    drawn = random.Random(seed).sample(range(size), min(count, size))
    return [_point(space, index) for index in drawn]


def _point(space: dict[str, list[Any]], index: int) -> dict[str, Any]:
    chosen = {}
    for name in reversed(space):
        index, position = divmod(index, len(space[name]))
        chosen[name] = space[name][position]
    return {name: chosen[name] for name in space}


def listed(value: str) -> list[Any]:
    """The values of a field that is known only when the DAG runs: a list, as JSON or with commas."""

    def one(word: str) -> Any:
        try:
            return json.loads(word)
        except ValueError:
            return word

    found = one(value)
    if isinstance(found, list):
        return found
    return [one(word.strip()) for word in value.split(",")] if isinstance(found, str) else [found]


def best_of(results: Iterable[Any], metric: str, direction: str) -> dict[str, Any]:
    """What the best of a sweep's runs hands on: its metrics, parameters and outputs."""
    known = [result for result in results if result]
    measured = [result for result in known if is_number({**result["outputs"], **result["metrics"]}.get(metric))]
    if not measured:
        why = f"has the metric “{metric}”" if known else "succeeded"
        raise LookupError(f"No run of the sweep {why}.")
    sign = 1 if direction == "maximize" else -1
    best = max(measured, key=lambda result: sign * {**result["outputs"], **result["metrics"]}[metric])
    return {**best["metrics"], **best["parameters"], **best["outputs"]}
