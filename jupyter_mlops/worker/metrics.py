"""Numbers read from a kernel after the last cell. Trouble here is a warning, never a failed run."""

from __future__ import annotations

import ast
import asyncio
import json
import math
import re
from pathlib import Path
from queue import Empty
from typing import Any

from .attempts import Attempt
from .cells import CellClient

_PATIENCE = 30.0  # s
_MLFLOW_PATIENCE = 90.0  # s
_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
# a line that prints "mlops:NAME=NUMBER", for languages that have no user expressions
_PRINT = {
    "bash": "printf 'mlops:{name}=%s\\n' \"${name}\"",
    "sh": "printf 'mlops:{name}=%s\\n' \"${name}\"",
    "r": 'cat("mlops:{name}=", tryCatch(format(as.numeric({name}), digits = 17), '
    'error = function(e) ""), "\\n", sep = "")',
    "julia": 'print("mlops:{name}=", (@isdefined {name}) ? {name} : "", "\\n")',
}
_PRINTED = re.compile(r"mlops:([\w.]+)=(\S+)")


async def read_metrics(attempt: Attempt, client: CellClient) -> None:
    """Read the metrics that the attempt's spec names, and those of MLflow runs that the notebook made."""
    info = client.nb.metadata.get("language_info", {})
    language = str(info.get("name", "")).lower()
    names = [name for name in attempt.spec.metrics if _NAME.fullmatch(name)]
    if language in ("python", "ipython"):
        await _read_python(attempt, client, names)
    elif language in _PRINT and names:
        await _read_printed(attempt, client, _PRINT[language], names)


async def _read_python(attempt: Attempt, client: CellClient, names: list[str]) -> None:
    env = attempt.spec.env
    owner = env.get("MLOPS_MLFLOW_OWNER", "")
    numbers = _call(f"g['read_numbers'](__import__('builtins').globals(), {names!r})") if names else "'{}'"
    # one request for both: most notebooks know nothing of MLflow
    answers = await _ask(
        attempt,
        client,
        {"metrics": numbers, "mlflow": "'mlflow' in __import__('sys').modules"},
        "The metrics",
        _PATIENCE,
    )
    if names:
        _take(attempt, answers.get("metrics"), "The metrics")
    if owner and answers.get("mlflow", {}).get("data", {}).get("text/plain") == "True":
        what = "The metrics of the notebook's MLflow runs"
        call = _call(f"g['read_mlflow']({owner!r}, {env.get('MLFLOW_RUN_ID') == owner})")
        answers = await _ask(attempt, client, {"metrics": call}, what, _MLFLOW_PATIENCE)
        _take(attempt, answers.get("metrics"), what)


def _call(call: str) -> str:
    """An expression that evaluates a call of ``epilogue``'s, without touching the notebook's variables."""
    source = Path(__file__).with_name("epilogue.py").read_text()
    run = f"__import__('builtins').exec({source!r}, g)"
    return f"(lambda g: ({run}, {call})[1])({{'__name__': 'mlops_epilogue'}})"


async def _ask(
    attempt: Attempt, client: CellClient, expressions: dict[str, str], what: str, patience: float
) -> dict[str, Any]:
    """The kernel's answers to some expressions, by name; none where it does not answer in time."""
    message = client.kernel.client.execute("", silent=True, store_history=False, user_expressions=expressions)
    try:
        reply = await asyncio.wait_for(client.async_wait_for_reply(message), patience)
        answers: dict[str, Any] = (reply or {})["content"]["user_expressions"]
    except TimeoutError:
        attempt.warn(f"{what} could not be read within {patience:.0f} s.")
    except Exception as error:
        attempt.warn(f"{what} could not be read: {_first_line(error)}.")
    else:
        return answers
    return {}


def _take(attempt: Attempt, answer: dict[str, Any] | None, what: str) -> None:
    if answer is None:
        return
    try:
        if answer["status"] != "ok":
            raise ValueError(f"{answer['ename']}: {answer['evalue']}")
        found = json.loads(ast.literal_eval(answer["data"]["text/plain"]))
    except Exception as error:  # whatever a notebook that changed its own interpreter answers
        attempt.warn(f"{what} could not be read: {_first_line(error)}.")
        return
    attempt.metrics.update(found.get("values", {}))
    for problem in found.get("problems", []):
        attempt.warn(problem)


def _first_line(error: Exception) -> str:
    lines = (str(error) or type(error).__name__).strip().splitlines()
    return lines[0].rstrip(".")[:300]


async def _read_printed(attempt: Attempt, client: CellClient, line: str, names: list[str]) -> None:
    code = "\n".join(line.replace("{name}", name) for name in names if "." not in name)
    message = client.kernel.client.execute(code, silent=False, store_history=False)
    try:
        text = await asyncio.wait_for(_printed(client, message), _PATIENCE)
    except (TimeoutError, Empty):
        attempt.warn(f"The metrics could not be read within {_PATIENCE:.0f} s.")
        return
    for name, value in _PRINTED.findall(text):
        try:
            number = float(value)
        except ValueError:
            continue
        if math.isfinite(number):
            attempt.metrics[name] = number
        else:
            attempt.warn(f"The metric '{name}' is {number!r}, which is not a number to compare by.")


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
