"""Calls to servers and storage that may never answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


async def ask(seconds: float, function: Callable[..., T], *arguments: object) -> T:
    """Call a function in a thread of its own, for some seconds at most; raises what the function raises.

    asyncio's own pool is small, and the service's bookkeeping waits in it: calls that hang would stop the service. A
    thread that is late is left to itself; it ends with the process at the latest.

    Raises:
        TimeoutError: there was no answer in time.
    """
    answer: Future[T] = Future()
    answer.set_running_or_notify_cancel()

    def call() -> None:
        try:
            answer.set_result(function(*arguments))
        except BaseException as error:
            answer.set_exception(error)

    Thread(target=call, name=f"foreign-{function.__name__}", daemon=True).start()
    return await asyncio.wait_for(asyncio.wrap_future(answer), seconds)
