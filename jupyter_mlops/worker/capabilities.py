"""A worker's report on its environment, for the check of a target."""

from __future__ import annotations

import os
import socket
from typing import Any
from urllib.parse import urlsplit

from jupyter_client.kernelspec import KernelSpecManager

from .. import __version__


def worker_report(kernel: str, paths: list[str], urls: list[str]) -> dict[str, Any]:
    """This worker's package version and kernels, and which of the given requirements it lacks.

    Args:
        kernel: name of a kernelspec.
        paths: files and folders that must be readable.
        urls: servers that must accept a connection.

    Returns:
        ``version``, ``kernels`` (all names), ``unreadable`` and ``unreachable``.
    """
    return {
        "version": __version__,
        "kernels": sorted(KernelSpecManager().find_kernel_specs()),
        "unreadable": [path for path in paths if not os.access(path, os.R_OK)],
        "unreachable": [url for url in urls if not _answers(url)],
    }


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return True
    try:
        socket.create_connection((parts.hostname, parts.port or 80), timeout=5).close()
    except OSError:
        return False
    return True
