"""Reading named numbers from a kernel after its last cell."""

from __future__ import annotations

import json
import math
from typing import Any, Protocol

# how other languages print a variable; Python answers user expressions instead
_PRINT = {"bash": 'echo "${name}"', "r": "cat({name})", "julia": "println({name})"}

# read in the notebook's own process, so that its own server, credentials and settings count
_OWN_RUNS = """
def _mlops_own_runs(parent):
    import json, sys
    mlflow = sys.modules.get("mlflow")
    if mlflow is None:
        return "{}"
    found = mlflow.search_runs(
        search_all_experiments=True,
        filter_string="tags.`mlflow.parentRunId` = '%s'" % parent,
        order_by=["attributes.start_time ASC"],
        output_format="list",
    )
    metrics = {}
    for run in found:
        metrics.update(run.data.metrics)
    return json.dumps(metrics)
"""


class Kernel(Protocol):
    """What is needed of a kernel's client."""

    def evaluate(self, code: str, expressions: dict[str, str]) -> dict[str, Any]:
        """Run code silently and answer the replies to user expressions by name."""

    def printed(self, code: str) -> str:
        """Run code silently and answer what it printed."""


def read_metrics(kernel: Kernel, names: list[str], language: str) -> tuple[dict[str, float], list[str]]:
    """Numbers by name, and a warning for each name that is no finite number.

    Args:
        kernel: after its last cell.
        names: of variables.
        language: of the kernel, lower case.
    """
    texts: dict[str, str | None] = {}
    if language == "python":
        expressions = {name: f"float({name})" for name in names if name.isidentifier()}
        replies = kernel.evaluate("", expressions) if expressions else {}
        for name, reply in replies.items():
            good = reply.get("status") == "ok"
            texts[name] = reply["data"]["text/plain"] if good else None
    elif language in _PRINT:
        for name in names:
            texts[name] = kernel.printed(_PRINT[language].replace("{name}", name)) or None
    metrics: dict[str, float] = {}
    warnings: list[str] = []
    for name in names:
        value = _number(texts.get(name))
        if value is None:
            continue
        if math.isfinite(value):
            metrics[name] = value
        else:
            warnings.append(f"“{name}” is {value} and so cannot be compared; it is left out of the metrics.")
    return metrics, warnings


def read_own_runs(kernel: Kernel, parent: str) -> tuple[dict[str, float], list[str]]:
    """Metrics of the MLflow runs that a notebook made itself, and warnings.

    Args:
        kernel: a Python one, after its last cell.
        parent: run id that those runs carry as their parent's.
    """
    reply = kernel.evaluate(_OWN_RUNS, {"own": f"_mlops_own_runs({parent!r})"}).get("own", {})
    if reply.get("status") != "ok":
        why = f"{reply.get('ename', 'no answer')}: {reply.get('evalue', '')}".strip(": ")
        return {}, [f"The metrics of the MLflow runs that the notebook made itself could not be read ({why})."]
    text = reply["data"]["text/plain"].strip("'\"")
    found: dict[str, float] = json.loads(text)
    return {name: value for name, value in found.items() if math.isfinite(value)}, []


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
