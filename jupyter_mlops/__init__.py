"""Sweeps, pipelines and models from inside JupyterLab.

Importing the package, and loading it as a server extension, imports nothing heavy: see ``app``.
"""

from __future__ import annotations

__version__ = "0.1.0"


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "jupyter-mlops"}]


def _jupyter_server_extension_points() -> list[dict[str, object]]:
    from .app import MlopsApp

    return [{"module": "jupyter_mlops", "app": MlopsApp}]
