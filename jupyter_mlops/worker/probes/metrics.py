"""Reads metrics and inputs from a kernel after the last cell. Errors here become warnings, not failed runs."""

from __future__ import annotations

import asyncio
import math
import re
from queue import Empty
from typing import Any

from ...core.messages import Message
from ..attempt import Attempt
from ..inputs import project_folders
from ..kernel.cells import CellClient
from . import imported_modules as loaded
from . import kernel_metrics as epilogue
from . import mlflow_calls
from .ask import ask, call_in, understood
from .step import step_questions, take_step_answers

_PATIENCE = 30.0  # s
_MLFLOW_PATIENCE = 90.0  # s
_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
# prints "mlops:NAME=NUMBER" in languages without user expressions
_PRINT = {
    "bash": "printf 'mlops:{name}=%s\\n' \"${name}\"",
    "sh": "printf 'mlops:{name}=%s\\n' \"${name}\"",
    "r": 'cat("mlops:{name}=", tryCatch(format(as.numeric({name}), digits = 17), '
    'error = function(e) ""), "\\n", sep = "")',
    "julia": 'print("mlops:{name}=", (@isdefined {name}) ? {name} : "", "\\n")',
}
_PRINTED = re.compile(r"mlops:([\w.]+)=(\S+)")


def watch_mlflow() -> str:
    """An expression that makes a Python kernel record what it logs to MLflow."""
    return call_in(mlflow_calls, "g['watch']()")


async def read_kernel(attempt: Attempt, client: CellClient) -> None:
    """Read the named metrics, those of the notebook's MLflow runs, and the files that it used."""
    names = [name for name in attempt.spec.metrics if _NAME.fullmatch(name)]
    attempt.language = language = language_of(client)
    if language == "python":
        await _read_python(attempt, client, names)
    elif language in _PRINT:
        extras = attempt.spec.extras
        outputs = [name for name in extras.outputs if _NAME.fullmatch(name)] if extras is not None else []
        if names or outputs:
            await _read_printed(attempt, client, _PRINT[language], names, outputs)


def language_of(client: CellClient) -> str:
    """The kernel's language as it reports it, in lower case."""
    language = str(client.kernel.client.info.get("language_info", {}).get("name", "")).lower()
    return "python" if language == "ipython" else language


async def _read_python(attempt: Attempt, client: CellClient, names: list[str]) -> None:
    env = attempt.spec.env
    owner = env.get("MLOPS_MLFLOW_OWNER", "")
    code = f"g['read_loaded']({project_folders(attempt.spec)!r}, {client.kernel.imported!r})"
    expressions = {
        "code": call_in(loaded, code),
        "mlflow": "'mlflow' in __import__('sys').modules",
        **step_questions(attempt.spec),
    }
    if names:
        call = f"g['read_numbers'](__import__('builtins').globals(), {names!r})"
        expressions["metrics"] = call_in(epilogue, call)
    # one request for all: most notebooks do not use MLflow
    answers = await ask(attempt, client, expressions, Message("The metrics"), _PATIENCE)
    _take(attempt, answers.get("metrics"), Message("The metrics"))
    attempt.loaded = understood(attempt, answers.get("code"), Message("The imported files")) or []
    take_step_answers(attempt, answers)
    if owner and answers.get("mlflow", {}).get("data", {}).get("text/plain") == "True":
        what = Message("The metrics of the notebook's MLflow runs")
        call = call_in(epilogue, f"g['read_mlflow']({owner!r}, {env.get('MLFLOW_RUN_ID') == owner})")
        answers = await ask(attempt, client, {"metrics": call}, what, _MLFLOW_PATIENCE)
        _take(attempt, answers.get("metrics"), what)


def _take(attempt: Attempt, answer: dict[str, Any] | None, what: Message) -> None:
    attempt.metrics.update(understood(attempt, answer, what) or {})


async def _read_printed(attempt: Attempt, client: CellClient, line: str, names: list[str], outputs: list[str]) -> None:
    asked = [name for name in dict.fromkeys([*names, *outputs]) if "." not in name]
    code = "\n".join(line.replace("{name}", name) for name in asked)
    message = client.kernel.client.execute(code, silent=False, store_history=False)
    try:
        text = await asyncio.wait_for(_printed(client, message), _PATIENCE)
    except (TimeoutError, Empty):
        attempt.warn(Message("The metrics could not be read within {patience:.0f} s.", patience=_PATIENCE))
        return
    for name, value in _PRINTED.findall(text):
        try:
            number = float(value)
        except ValueError:
            continue
        if name in names:
            attempt.metrics[name] = number
        if name in outputs and not math.isfinite(number):
            attempt.unfit[name] = f"is {number!r}, which cannot be handed on"
        elif name in outputs:
            attempt.variables[name] = int(number) if re.fullmatch(r"-?\d{1,15}", value) else number


async def _printed(client: CellClient, message: str) -> str:
    client.take_all_output()
    text = ""
    while True:
        msg: dict[str, Any] = await client.kernel.client.iopub_channel.get_msg(timeout=None)
        if msg["parent_header"].get("msg_id") != message:
            continue
        if msg["msg_type"] == "stream":
            text += msg["content"]["text"]
        elif msg["msg_type"] == "status" and msg["content"]["execution_state"] == "idle":
            return text
