"""Entry point of the service's process."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from .core.processes import own_build, proxy_bypass
from .services.process.launch import ensure_service, is_suspended, own_info, suspend_service, take_lock, write_into
from .services.process.layout import Layout
from .settings import MlopsSettings

if TYPE_CHECKING:
    from .runtime import Runtime

LOCK_SECONDS = 2.0
REPLACED = 1  # systemd starts again what ends so


def main(settings: MlopsSettings) -> int:
    """Serve until idle or signalled; return at once if another service runs or none is wanted.

    Returns:
        exit status: ``REPLACED`` if a service of the build on disk follows, else 0.
    """
    own_build()
    # inherited by all child processes
    os.environ.update(proxy_bypass(os.environ))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("distributed").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    lock_path = Layout(settings.data_path).lock
    # is_running() holds the lock for a moment
    deadline = time.monotonic() + LOCK_SECONDS
    while (lock := take_lock(lock_path)) is None:
        if time.monotonic() > deadline:
            return 0
        time.sleep(0.05)
    with lock:
        if is_suspended(settings):
            # the user stopped the service while this one was starting
            return 0
        write_into(lock, own_info())
        # slow, so imported before the event loop starts, and only once the lock is held
        from .runtime import Runtime

        is_outdated = asyncio.run(_serve(Runtime(settings)))
    if is_outdated and not is_suspended(settings):
        ensure_service(settings)
        return REPLACED
    return 0


async def _serve(runtime: Runtime) -> bool:
    """Run until told to end; whether it ends because another build was installed."""
    async with runtime:
        loop = asyncio.get_running_loop()

        def interrupt() -> None:
            # Ctrl-C is a user's wish; SIGTERM may just be a shutdown
            runtime.end()
            suspend_service(runtime.settings)

        loop.add_signal_handler(signal.SIGTERM, runtime.end)
        loop.add_signal_handler(signal.SIGINT, interrupt)
        await runtime.serve()
        return runtime.is_outdated


def settings_from_environment() -> MlopsSettings:
    """The settings passed on by the process that started this one."""
    return MlopsSettings(**_inherited_settings())


def take_over_settings(settings: MlopsSettings) -> None:
    """Add the settings passed in the environment to those of the command line."""
    for name, value in _inherited_settings().items():
        setattr(settings, name, value)


def _inherited_settings() -> dict[str, Any]:
    # removed from the environment: kernels inherit it, and the store's address may hold a password
    values: dict[str, Any] = json.loads(os.environ.pop("JUPYTER_MLOPS_SETTINGS", "{}"))
    return values


if __name__ == "__main__":
    sys.exit(main(settings_from_environment()))
