"""The address of the MLflow in use. Standard library only: the Jupyter server imports it too."""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit

from ..core.errors import UnavailableError
from ..core.messages import Message


def external_uri(setting: str) -> str:
    """Address of an external MLflow: the setting, else MLFLOW_TRACKING_URI; empty for the embedded one."""
    return setting or os.environ.get("MLFLOW_TRACKING_URI", "")


def check_answers(uri: str) -> None:
    """Check that a server listens at an MLflow address; file addresses always pass.

    Raises:
        UnavailableError: no server listens.
    """
    if not uri.startswith(("http:", "https:")):
        return
    try:
        parts = urlsplit(uri)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname or "", port), timeout=5).close()
    except (OSError, ValueError) as error:
        raise UnavailableError(
            Message(
                "MLflow at {uri} does not answer; start it, or clear mlflow_tracking_uri and "
                "MLFLOW_TRACKING_URI to use the embedded one.",
                uri=uri,
            )
        ) from error
