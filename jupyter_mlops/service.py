"""Entry of the service's process."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import time
from typing import Any

from .core.processes import proxy_bypass
from .services.process.launch import hold_back, is_held_back, take_lock
from .services.process.layout import Layout
from .settings import MlopsSettings

LOCK_SECONDS = 2.0


def main(settings: MlopsSettings) -> int:
    """Serve until idle or ended by a signal.

    Returns:
        0, also where another service lives already, or none is wanted: there is nothing to do then.
    """
    # inherited by all that the service starts
    os.environ.update(proxy_bypass(os.environ))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("distributed").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    lock_path = Layout(settings.data_path).lock
    # whoever asks whether a service lives holds the lock for a moment
    deadline = time.monotonic() + LOCK_SECONDS
    while (lock := take_lock(lock_path)) is None:
        if time.monotonic() > deadline:
            return 0
        time.sleep(0.05)
    with lock:
        if is_held_back(settings):
            # somebody said stop while this one was starting
            return 0
        asyncio.run(_serve(settings))
    return 0


async def _serve(settings: MlopsSettings) -> None:
    from .runtime import Runtime

    async with Runtime(settings) as runtime:
        loop = asyncio.get_running_loop()

        def interrupt() -> None:
            # Ctrl-C is a person's; what else ends a process may be the machine's end
            runtime.end()
            hold_back(settings)

        loop.add_signal_handler(signal.SIGTERM, runtime.end)
        loop.add_signal_handler(signal.SIGINT, interrupt)
        await runtime.serve()


def settings_from_environment() -> MlopsSettings:
    """The settings that the process which started this one handed on."""
    return MlopsSettings(**_handed_on())


def take_over_settings(settings: MlopsSettings) -> None:
    """Set those that whoever started this process handed on beside its command line."""
    for name, value in _handed_on().items():
        setattr(settings, name, value)


def _handed_on() -> dict[str, Any]:
    # taken out: kernels inherit this process's environment, and the store's address may hold a password
    values: dict[str, Any] = json.loads(os.environ.pop("JUPYTER_MLOPS_SETTINGS", "{}"))
    return values


if __name__ == "__main__":
    sys.exit(main(settings_from_environment()))
