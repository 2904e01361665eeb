"""Writes a pipeline as a DAG for Airflow, which runs the same notebooks with papermill.

The file has plain functions, one a step, that need no Airflow, and below them the DAG that calls them.
"""

from __future__ import annotations

import ast
import inspect
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ....core.notebook import reading as notebooks
from ....core.parameters import NotebookInfo
from ....core.pipelines.conditions import Condition
from ....core.pipelines.definition import PipelineDefinition, Step
from ....core.pipelines.order import edges, order, references_of
from ....core.pipelines.references import SCHEDULED_TIME, Reference, split
from ....core.search.space import parse_field
from ....worker.probes import variables
from ..exporters import Export, ExportSource
from . import tasks as airflow_steps
from .dag import dag_part
from .remarks import remarks_of

MARK = "# -- the DAG ----"


def export(source: ExportSource) -> Export:
    """The DAG, and what could not be translated.

    Raises:
        InvalidInputError: steps wait for each other, or a notebook cannot be read.
    """
    definition = source.definition
    infos = {
        name: notebooks.inspect(notebooks.read_notebook(source.notebooks[step.notebook]), step.notebook)
        for name, step in definition.steps.items()
    }
    functions = function_names(definition)
    sizes = {name: _size(step, infos[name]) for name, step in definition.steps.items() if step.sweep}
    remarks = remarks_of(definition, source.triggers, sizes)
    waits = edges(definition)
    parts = [
        _head(source, remarks, sorted({info.kernel for info in infos.values()})),
        _runtime(),
        _places(source),
        *(_step(name, definition, infos[name], functions[name]) for name in order(definition)),
        f"{MARK}{'-' * (80 - len(MARK))}\n\n" + dag_part(source, functions, waits),
    ]
    return Export("\n\n".join(part.strip("\n") + "\n" for part in parts), remarks)


def function_names(definition: PipelineDefinition) -> dict[str, str]:
    """A Python name by step."""
    names: dict[str, str] = {}
    for step in definition.steps:
        name = base = "step_" + re.sub(r"\W", "_", step)
        while name in names.values():
            name += "_"
        names[step] = name if name != base or base not in names.values() else f"{base}_"
    return names


# -- the head ----------------------------------------------------------------------------------


def _head(source: ExportSource, remarks: list[str], kernels: list[str]) -> str:
    said = "\n".join(f"- {remark}" for remark in remarks) or "- nothing: all of it is translated"
    text = f"""\
{source.name}: a pipeline of notebooks, as a DAG for Airflow 3 or 2.10 and later.

Written by “jupyter mlops pipeline export --to airflow” from {source.origin}.

It needs papermill and these kernels where tasks run: {", ".join(kernels)}. Notebooks run in MLOPS_FOLDER; executed
notebooks and the files that steps leave are kept below MLOPS_RUNS, which all workers must see. Both are variables of
the environment; their defaults stand below.

Not translated:
{said}
"""
    # a quote or backslash of a person's must not end the text
    quoted = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'"""{quoted}"""\n\nfrom __future__ import annotations\n'


def _runtime() -> str:
    """What the tasks do when they run: imports and all."""
    text = Path(airflow_steps.__file__).read_text(encoding="utf-8")
    return text.partition("from __future__ import annotations\n")[2]


def _places(source: ExportSource) -> str:
    return f"""\
# -- this pipeline -----------------------------------------------------------------------------

FOLDER = Path(os.environ.get("MLOPS_FOLDER") or {_folder(source.folder)})
RUNS = Path(
    os.environ.get("MLOPS_RUNS") or Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser() / "mlops-runs"
)
PARAMETERS: dict[str, Any] = {_parameters(source)!r}
# executed by a notebook's kernel, to read the variables that are handed on
READER = {inspect.getsource(variables)!r}
"""


def _folder(folder: Path) -> str:
    """The folder as an expression of the DAG's file."""
    return repr(str(folder)) if folder.is_absolute() else f"Path(__file__).resolve().parent / {str(folder)!r}"


def _parameters(source: ExportSource) -> dict[str, Any]:
    schedule = next((trigger for trigger in source.triggers if trigger.kind == "cron"), None)
    return {**source.definition.parameters, **(schedule.parameters if schedule else {})}


# -- one step ----------------------------------------------------------------------------------


def _step(name: str, definition: PipelineDefinition, info: NotebookInfo, function: str) -> str:
    step = definition.steps[name]
    condition = []
    if step.when:
        condition = [
            f"    if not ({_condition(step.when)}):",
            f"        raise SkippedError({f'Its condition does not hold: {step.when}'!r})",
        ]
    values = {}
    if SCHEDULED_TIME in {parameter.name for parameter in info.parameters} and SCHEDULED_TIME not in step.parameters:
        values[SCHEDULED_TIME] = f"${{{SCHEDULED_TIME}}}"
    values |= step.parameters
    call = list(_call(name, definition, step))
    if step.sweep is None:
        lines = [
            f"def {function}(run: Run) -> dict[str, Any]:",
            *condition,
            f"    parameters = {expression(values)}",
            *call,
            '    return {**found["metrics"], **found["outputs"]}',
        ]
        return "\n".join(lines)
    space = ", ".join(f"{key!r}: {_field(key, text, info)}" for key, text in step.sweep.space.items())
    sampler = step.sweep.sampler
    drawn = f", {sampler.count!r}, {sampler.seed!r}" if sampler.kind == "random" else ""
    lines = [
        f"def {function}_points(run: Run) -> list[dict[str, Any]]:",
        *condition,
        f"    fixed = {expression({key: value for key, value in values.items() if key not in step.sweep.space})}",
        f"    return [{{**fixed, **point}} for point in points({{{space}}}{drawn})]",
        "",
        "",
        f"def {function}(run: Run, parameters: dict[str, Any]) -> dict[str, Any]:",
        *call,
        '    return {"parameters": parameters, **found}',
    ]
    return "\n".join(lines)


def _call(name: str, definition: PipelineDefinition, step: Step) -> Iterator[str]:
    yield "    found = run_notebook("
    yield f"        run, {name!r}, FOLDER / {step.notebook!r}, runs=RUNS, parameters=parameters, reader=READER,"
    more: dict[str, str] = {}
    if step.outputs:
        more["outputs"] = repr(step.outputs)
    if metrics := _metrics(name, definition, step):
        more["metrics"] = repr(metrics)
    if step.files:
        more["files"] = repr(step.files)
    if step.env:
        more["env"] = "{" + ", ".join(f"{key!r}: {_text(text)}" for key, text in step.env.items()) + "}"
    if step.secrets:
        found = {
            key: {kind: place for kind in ("env", "keyring", "file") if (place := getattr(reference, kind))}
            for key, reference in step.secrets.items()
        }
        more["secrets"] = repr(found)
    if step.cell_timeout is not None:
        more["cell_timeout"] = repr(step.cell_timeout)
    if more:
        yield "        " + " ".join(f"{key}={value}," for key, value in more.items())
    yield "    )"


def _metrics(name: str, definition: PipelineDefinition, step: Step) -> list[str]:
    """Variables that are read as numbers because runs are compared by them, or others refer to them."""
    known = {*step.outputs, *step.files, *step.parameters, *(step.sweep.space if step.sweep else ())}
    asked = [
        reference.name
        for other in definition.steps.values()
        for reference in references_of(other)
        if reference.step == name and reference.name not in known
    ]
    return list(dict.fromkeys([*([step.sweep.objective.metric] if step.sweep else []), *asked]))


# -- values as Python --------------------------------------------------------------------------


def expression(value: Any) -> str:
    """A JSON value with references as a Python expression."""
    match value:
        case str():
            parts = split(value)
            return _reference(parts[0]) if len(parts) == 1 and isinstance(parts[0], Reference) else _text(value)
        case list():
            return "[" + ", ".join(map(expression, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{key!r}: {expression(item)}" for key, item in value.items()) + "}"
        case _:
            return repr(value)


def _text(text: str) -> str:
    """The same, and always a text."""
    parts = [f"text({_reference(part)})" if isinstance(part, Reference) else repr(part) for part in split(text)]
    return " + ".join(parts) or "''"


def _reference(reference: Reference) -> str:
    return f"run.value({reference.step!r}, {reference.name!r})"


def _field(name: str, text: str, info: NotebookInfo) -> str:
    """The values of one field of a space."""
    if any(isinstance(part, Reference) for part in split(text)):
        return f"listed({_text(text)})"
    parameter = next((parameter for parameter in info.parameters if parameter.name == name), None)
    return repr(parse_field("".join(map(str, split(text))), parameter))


def _size(step: Step, info: NotebookInfo) -> int | None:
    """How many runs a sweep has, None where that is known only when it runs."""
    assert step.sweep is not None
    fields = {name: _field(name, text, info) for name, text in step.sweep.space.items()}
    if any(field.startswith("listed(") for field in fields.values()):
        return None
    total = math.prod(len(ast.literal_eval(field)) for field in fields.values())
    return min(total, step.sweep.sampler.count or total)


def _condition(text: str) -> str:
    condition = Condition(text)
    return ast.unparse(ast.fix_missing_locations(_Names(condition).visit(condition.tree)))


class _Names(ast.NodeTransformer):
    """Puts what a condition refers to in the place of its names."""

    def __init__(self, condition: Condition) -> None:
        self.condition = condition

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.parse(_reference(self.condition.reference(node.id)), mode="eval").body

    def visit_Tuple(self, node: ast.Tuple) -> ast.expr:
        # lists are what JSON has
        return self.visit_List(ast.List(elts=node.elts, ctx=ast.Load()))

    def visit_List(self, node: ast.List) -> ast.List:
        return ast.List(elts=[self.visit(item) for item in node.elts], ctx=ast.Load())
