"""jupyter-scheduler, in an environment of its own: its requirements clash with ours.

Jobs are made through its REST API on a real server, as many at a time as there are cores (it starts all at once,
however many there are). The cells run in a kernel of our environment, so that only the machinery differs.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
from common import Server
from work import Work

_SAME = ("papermill", "nbclient", "nbformat", "ipykernel", "jupyter-client", "jupyter-server", "pyzmq", "tornado")
_KERNEL = "benchmark"
_PATIENCE = 1800.0  # s


def environment() -> Path:
    """Its Python; made on first use, below the user's cache, and kept."""
    wanted = ["jupyter-scheduler==2.12.*", *(f"{name}=={version(name)}" for name in _SAME)]
    stamp = hashlib.sha256("\n".join([sys.version, *wanted]).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jupyter-mlops-benchmarks"
    folder = cache / f"jupyter-scheduler-{stamp}"
    python = folder / "bin" / "python"
    done = folder / "complete"
    if not done.exists():
        print(f"making an environment for jupyter-scheduler in {folder}", file=sys.stderr)
        venv.create(folder, clear=True, with_pip=True)
        install = [python, "-m", "pip", "install", "-q", "--compile", *wanted]
        made = subprocess.run(install, capture_output=True, text=True, check=False)
        if made.returncode:
            raise SystemExit(f"jupyter-scheduler could not be installed:\n{made.stderr[-4000:]}")
        done.touch()
    return python


class _SchedulerServer(Server):
    """A Jupyter server with jupyter-scheduler and nothing else."""

    def command(self, extension: bool, settings: dict[str, Any]) -> list[str]:
        return [
            *("nice", "-n", str(settings["niceness"])),
            *(str(environment()), "-m", "jupyter_server"),
            "--ServerApp.jpserver_extensions={'jupyter_scheduler': True}",
        ]


def _add_kernel(folder: Path) -> None:
    """A kernel of the environment that this process has, under a name of its own."""
    place = folder / "data" / "kernels" / _KERNEL
    place.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (place / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": _KERNEL, "language": "python"}))


def scheduler_ends(work: Work, values: list[Any], at_once: int, niceness: int) -> list[float]:
    """When each job was seen to be completed."""
    with tempfile.TemporaryDirectory(prefix="scheduler-benchmark-") as name:
        folder = Path(name)
        _add_kernel(folder)
        running = _SchedulerServer(folder, settings={"niceness": niceness})
        try:
            running.wait()
            notebook = running.root / "notebook.ipynb"
            work.write(notebook)
            content = nbformat.read(notebook, as_version=4)
            content.metadata["kernelspec"] = {"name": _KERNEL, "display_name": _KERNEL, "language": "python"}
            nbformat.write(content, notebook)
            return _work_off(running, work.parameter, list(values), at_once)
        finally:
            running.close()


def _work_off(running: Server, parameter: str, values: list[Any], at_once: int) -> list[float]:
    runtime = running.get("/scheduler/runtime_environments")[0]["name"]
    live: set[str] = set()
    ends: list[float] = []
    deadline = time.perf_counter() + _PATIENCE
    while values or live:
        while values and len(live) < at_once:
            job = {
                "name": f"{parameter}={values[0]}",
                "input_uri": "notebook.ipynb",
                "runtime_environment_name": runtime,
                "output_formats": ["ipynb"],
                "parameters": {parameter: repr(values.pop(0))},
            }
            live.add(running.post("/scheduler/jobs", job)["job_id"])
        for job_id in list(live):
            job = running.get(f"/scheduler/jobs/{job_id}")
            if job["status"] == "COMPLETED":
                ends.append(time.perf_counter())
                live.remove(job_id)
            elif job["status"] == "FAILED" or time.perf_counter() > deadline:
                # those that have not begun are “STOPPED” with it, so that says nothing
                raise SystemExit(f"A job of jupyter-scheduler is {job['status']}: {job['status_message']}")
        time.sleep(0.05)
    return ends
