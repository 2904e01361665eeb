"""Memory and size: the processes behind an idle sweep, MLflow as it comes beside ours, the frontend's bytes.

Starts a real JupyterLab server, asks it for a first sweep on a machine where nothing runs yet, waits for
that sweep's end and lets everything come to rest.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil
from common import ROOT, Server, free_port, machine, memory_of, parser, publish, server, table, write_notebook

REST_SECONDS = 15.0
# the first that fits names a process
KINDS = {
    "jupyter_mlops.tracking.server.app": "MLflow, embedded",
    "jupyter_mlops.service": "service",
    "jupyter_mlops.compute.host_process": "host of the local target (Dask scheduler)",
    "spawn_main": "Dask workers",
    "resource_tracker": "Python's resource trackers",
    "jupyter_mlops.worker.processes.guardian": "guardians",
    "worker/fork/server.py": "fork servers",
    "ipykernel": "kernels",
}


def kind_of(process: psutil.Process) -> str:
    """What a process is, for people."""
    command = " ".join(process.cmdline())
    return next((kind for part, kind in KINDS.items() if part in command), process.name())


def sweep_over(running: Server, sweep_id: str) -> bool:
    """Whether a sweep has come to its end; a failed one is an error."""
    sweep = running.get(f"/mlops/sweeps/{sweep_id}")
    if sweep["state"] in ("failed", "stopped", "paused"):
        raise SystemExit(f"The sweep is {sweep['state']}: {sweep['message']}")
    return bool(sweep["state"] == "succeeded")


def first_sweep(running: Server) -> tuple[float, float]:
    """Start the first sweep of all.

    Returns:
        Seconds until its request was answered, and until its first run was finished.
    """
    write_notebook(running.root / "trivial.ipynb", "a = 1", "score = a * 2")
    begun = time.monotonic()
    request = {"path": "trivial.ipynb", "space": {"a": "1:4"}, "metrics": ["score"]}
    sweep = running.post("/mlops/sweeps", request)
    answered = time.monotonic() - begun
    first = 0.0
    while not sweep_over(running, sweep["id"]):
        runs = running.get(f"/mlops/sweeps/{sweep['id']}/runs")["runs"]
        if not first and any(run["state"] == "succeeded" for run in runs):
            first = time.monotonic() - begun
        time.sleep(0.05)
    return answered, first or time.monotonic() - begun


def at_rest(running: Server) -> dict[str, list[psutil.Process]]:
    """The processes behind the server once MLflow is ready, by what they are."""
    while (state := running.get("/mlops/status")["service"])["mlflow"] != "ready":
        if state["mlflow"] == "failed":
            raise SystemExit(state["mlflow_message"])
        time.sleep(0.5)
    time.sleep(REST_SECONDS)
    service = psutil.Process(state["pid"])
    found: dict[str, list[psutil.Process]] = {}
    for process in [service, *service.children(recursive=True)]:
        found.setdefault(kind_of(process), []).append(process)
    return found


def mlflow_as_it_comes() -> tuple[int, float, float]:
    """``mlflow server`` without options.

    Returns:
        Its processes, their PSS in MB, and seconds until it answered.
    """
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        begun = time.monotonic()
        store = f"sqlite:///{folder}/mlflow.sqlite"
        command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--backend-store-uri", store]
        with Path(folder, "log").open("wb") as log:
            popen = subprocess.Popen(
                command, cwd=folder, stdout=log, stderr=log, env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
            )
        process = psutil.Process(popen.pid)
        try:
            _until_answers(f"http://127.0.0.1:{port}/health", process)
            ready = time.monotonic() - begun
            time.sleep(REST_SECONDS)
            family = [process, *process.children(recursive=True)]
            return len(family), memory_of(family)[0], ready
        finally:
            family = [*process.children(recursive=True), process]
            for member in family:
                member.terminate()
            for member in psutil.wait_procs(family, timeout=10)[1]:
                member.kill()


def _until_answers(url: str, process: psutil.Process) -> None:
    while process.is_running():
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("mlflow server ended as it started")


def memory(*, peer: bool) -> str:
    """The table of processes, and the first sweep's times."""
    with server() as running:
        running.wait()
        running.get("/mlops/status")
        before = memory_of([running.process])[0]
        answered, first = first_sweep(running)
        found = at_rest(running)
        kinds = list(dict.fromkeys([*KINDS.values(), *found]))
        rows = [(kind, len(found[kind]), *memory_of(found[kind])) for kind in kinds if kind in found]
        after = memory_of([running.process])[0]
        known = running.get("/mlops/status")["service"]["targets"]
    count, total = sum(row[1] for row in rows), sum(row[2] for row in rows)
    lines = [(row[0], row[1], f"{row[2]:.0f} MB", f"{row[3]:.0f} MB") for row in rows]
    lines.append(("**all**", f"**{count}**", f"**{total:.0f} MB**", ""))
    if peer:
        processes, pss, ready = mlflow_as_it_comes()
        lines.append(
            (f"beside it: `mlflow server` as it comes, ready in {ready:.0f} s", processes, f"{pss:.0f} MB", "")
        )
    slots = sum(target["slots"] for target in known)
    text = table(("idle after a first sweep", "processes", "PSS", "RSS"), lines)
    return (
        f"{text}\n\n{slots} slots. The Jupyter server itself: {before:.0f} MB before, {after:.0f} MB after it.\n"
        f"The first sweep, nothing started yet: its request was answered in {answered * 1000:.0f} ms, "
        f"its first run was finished {first:.1f} s after it was asked for."
    )


def frontend() -> str:
    """Bytes of the prebuilt frontend, each file compressed by itself as a server sends it."""
    static = ROOT / "jupyter_mlops" / "labextension" / "static"
    files = [path for path in static.rglob("*") if path.suffix in (".js", ".css") and path.is_file()]
    if not files:
        raise SystemExit(f"There is no built frontend in {static}: ./dev setup")
    sizes = [(len(path.read_bytes()), len(gzip.compress(path.read_bytes(), 9, mtime=0))) for path in files]
    rows = [
        ("all files", len(files), *(f"{sum(column) / 1000:.1f} kB" for column in zip(*sizes, strict=True))),
        ("largest", 1, *(f"{max(column) / 1000:.1f} kB" for column in zip(*sizes, strict=True))),
    ]
    return table(("prebuilt frontend", "files", "raw", "gzipped"), rows)


def main() -> None:
    """Measure, print."""
    options = parser(__doc__)
    options.add_argument("--no-peer", action="store_true", help="leave out `mlflow server` as it comes (a minute)")
    chosen = options.parse_args()
    where = machine()
    publish("footprint", f"{memory(peer=not chosen.no_peer)}\n\n{frontend()}", where, write=chosen.write)


if __name__ == "__main__":
    main()
