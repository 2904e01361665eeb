"""Opening an executed notebook in a JupyterLab that runs already."""

from __future__ import annotations

import json
import webbrowser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
from jupyter_core.paths import jupyter_runtime_dir

from ..core.errors import UnavailableError
from ..core.messages import Message
from ..core.runs import Run
from ..core.sweeps import Sweep
from .output import note

# of the frontend, which shows executed notebooks read-only and starts no kernel for them
DRIVE = "mlops"


def open_run(sweep: Sweep, run: Run, *, wanted: bool) -> None:
    """Open a run's executed notebook in the browser.

    Args:
        sweep: of the run.
        run: whose notebook.
        wanted: a person asked for it, so that it is an error where there is no JupyterLab.

    Raises:
        UnavailableError: no running Jupyter server serves the sweep's notebook.
    """
    server = find_server(Path(sweep.path))
    if server is None:
        sentence = (
            f"No JupyterLab runs here that serves {Path(sweep.path).parent}; start one there with “jupyter lab”, "
            "or open the file above."
        )
        if wanted:
            raise UnavailableError(Message.verbatim(sentence))
        note(sentence)
        return
    url = address(server, sweep, run)
    # without its token, which other users could read in the browser's command line
    note(f"Opening {url}")
    webbrowser.open(url)


def address(server: dict[str, Any], sweep: Sweep, run: Run) -> str:
    """Where a running JupyterLab shows a run's executed notebook."""
    name = quote(f"{Path(sweep.path).stem} · run {run.index + 1}.ipynb")
    return f"{server['url'].rstrip('/')}/lab/tree/{DRIVE}:{sweep.id}/{run.id}/{name}"


def find_server(notebook: Path) -> dict[str, Any] | None:
    """The running Jupyter server of this user whose root is nearest above a notebook, None where there is none."""
    found: list[dict[str, Any]] = []
    for file in Path(jupyter_runtime_dir()).glob("jpserver-*.json"):
        try:
            server = json.loads(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            # it ends, or starts, in this moment
            continue
        # the file stays when a server is killed
        if psutil.pid_exists(server["pid"]) and notebook.is_relative_to(Path(server["root_dir"]).resolve()):
            found.append(server)
    return max(found, key=lambda server: len(server["root_dir"]), default=None)
