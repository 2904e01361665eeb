"""Evaluates expressions in a kernel without touching the notebook's variables."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
from functools import lru_cache
from types import ModuleType
from typing import Any

from ...core.messages import Message
from ..attempt import Attempt
from ..kernel.cells import CellClient


@lru_cache(maxsize=8)
def _source(module: ModuleType) -> str:
    return inspect.getsource(module)


def call_in(module: ModuleType, call: str) -> str:
    """A Python expression that calls a function of a module inside the kernel.

    Args:
        module: its source is sent to the kernel.
        call: expression that finds the module's functions in ``g``.
    """
    run = f"__import__('builtins').exec({_source(module)!r}, g)"
    return f"(lambda g: ({run}, {call})[1])({{'__name__': 'mlops_question'}})"


async def ask(
    attempt: Attempt, client: CellClient, expressions: dict[str, str], what: Message, patience: float
) -> dict[str, Any]:
    """Evaluate expressions in the kernel; its answers by name, empty if it does not answer in time."""
    message = client.kernel.client.execute("", silent=True, store_history=False, user_expressions=expressions)
    try:
        reply = await asyncio.wait_for(client.async_wait_for_reply(message), patience)
        answers: dict[str, Any] = (reply or {})["content"]["user_expressions"]
    except TimeoutError:
        attempt.warn(Message("{what} could not be read within {patience:.0f} s.", what=what, patience=patience))
    except Exception as error:  # a notebook may have changed its interpreter in any way
        attempt.warn(Message("{what} could not be read: {error}.", what=what, error=first_line(error)))
    else:
        return answers
    return {}


def understood(attempt: Attempt, answer: dict[str, Any] | None, what: Message) -> Any:
    """Decode an answer's JSON; None, with a warning, if that is impossible."""
    if answer is None:
        return None
    try:
        if answer["status"] != "ok":
            raise ValueError(attempt.hiding.text(f"{answer['ename']}: {answer['evalue']}"))
        return json.loads(ast.literal_eval(answer["data"]["text/plain"]))
    except Exception as error:  # a notebook may have changed its interpreter in any way
        attempt.warn(Message("{what} could not be read: {first_line}.", what=what, first_line=first_line(error)))
        return None


def first_line(error: Exception) -> str:
    """First line of an exception's message."""
    lines = (str(error) or type(error).__name__).strip().splitlines()
    return lines[0].rstrip(".")[:300]
