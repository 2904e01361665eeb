"""What a worker says of itself before a run is trusted to it."""

from __future__ import annotations

import os
import platform
import socket
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from .. import __version__
from ..core.errors import InvalidInputError

_PATIENCE = 3.0  # s for one address


def worker_report(
    package_version: str,
    kernel: str,
    folder: str,
    files: Sequence[str] = (),
    urls: Sequence[str] = (),
) -> dict[str, Any]:
    """What stands in the way of running a notebook here. Meant for ``client.run``; takes seconds at most.

    Args:
        package_version: what the service has; a worker must have the same.
        kernel: kernelspec name; empty is not looked at.
        folder: the notebook's folder, which must exist here; empty is not looked at.
        files: files that must be readable here, and folders that must be writable.
        urls: addresses that must answer; any HTTP answer will do, a refusal included.

    Returns:
        ``problems``: a sentence for each thing amiss, none where all is well; ``version``, ``python`` and
        ``host`` of the worker.
    """
    host = socket.gethostname()
    found = [
        _version(package_version),
        _kernel(kernel),
        _folder(folder),
        *(_file(path) for path in files),
        *(_url(url) for url in urls),
    ]
    return {
        "problems": [f"On {host}: {problem}" for problem in found if problem],
        "version": __version__,
        "python": platform.python_version(),
        "host": host,
    }


def _version(wanted: str) -> str:
    if wanted == __version__:
        return ""
    return f"jupyter-mlops is {__version__} there and {wanted} here; install the same version in both places."


def _kernel(name: str) -> str:
    from .kernels import find_kernel

    if not name:
        return ""
    try:
        find_kernel(name)
    except InvalidInputError as error:
        return error.message
    return ""


def _folder(path: str) -> str:
    if not path or os.path.isdir(path):
        return ""
    return f"the notebook's folder '{path}' does not exist; the worker must see the same file system."


def _file(path: str) -> str:
    if os.path.isdir(path):
        return "" if os.access(path, os.W_OK | os.X_OK) else f"the folder '{path}' cannot be written to."
    if os.access(path, os.R_OK):
        return ""
    return f"'{path}' cannot be read; the worker must see the same file system."


def _url(url: str) -> str:
    if urlsplit(url).scheme not in ("http", "https"):
        return f"'{url}' is not an http address, so a worker cannot reach it."
    try:
        urllib.request.urlopen(url, timeout=_PATIENCE).close()
    except urllib.error.HTTPError as error:
        error.close()
    except OSError as error:
        return f"{url} does not answer: {getattr(error, 'reason', error)}."
    return ""
