"""Blocking calls that may never return."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


async def call_with_timeout(seconds: float, function: Callable[..., T], *arguments: object) -> T:
    """Call a function in its own thread and raise what it raises.

    Calls that hang would fill asyncio's thread pool and stop the service. A late thread is abandoned; it ends with
    the process at the latest.

    Raises:
        TimeoutError: the call did not return in time.
    """
    answer: Future[T] = Future()
    answer.set_running_or_notify_cancel()

    def call() -> None:
        try:
            answer.set_result(function(*arguments))
        except BaseException as error:
            answer.set_exception(error)

    Thread(target=call, name=f"timeout-{function.__name__}", daemon=True).start()
    return await asyncio.wait_for(asyncio.wrap_future(answer), seconds)
