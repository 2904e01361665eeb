"""What the benchmarks share: a real Jupyter server, memory of processes, tables in the document."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import nbformat
import psutil

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "benchmarks.md"
TOKEN = "benchmark"
HEAVY = ("dask", "distributed", "mlflow", "papermill", "pandas", "numpy", "sqlalchemy", "alembic", "nbclient")
# tells on SIGUSR2 what it has imported so far, in a file
_LAUNCH = """
import json, os, signal, sys
def tell(*_):
    with open(os.environ["BENCHMARK_MODULES"] + ".tmp", "w") as file:
        json.dump(sorted({name.partition(".")[0] for name in sys.modules}), file)
    os.replace(file.name, os.environ["BENCHMARK_MODULES"])
signal.signal(signal.SIGUSR2, tell)
from jupyterlab.labapp import main
main()
"""


def free_port() -> int:
    """A port that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """JupyterLab's server in a process of its own, with nothing of the user's.

    Args:
        folder: below it everything is kept.
        extension: whether jupyter-mlops is loaded.
        settings: of ours, other than as they come.
    """

    def __init__(self, folder: Path, *, extension: bool = True, settings: dict[str, Any] | None = None) -> None:
        self.port = free_port()
        self.root = folder / "root"
        self.data = folder / "mlops"
        self.modules_file = folder / "modules.json"
        self.log = folder / "server.log"
        self.root.mkdir(parents=True, exist_ok=True)
        own = {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
        environment = os.environ | own | {"BENCHMARK_MODULES": str(self.modules_file)}
        options = [
            "--no-browser",
            "--allow-root",
            f"--ServerApp.port={self.port}",
            "--ServerApp.port_retries=0",
            f"--ServerApp.root_dir={self.root}",
            f"--IdentityProvider.token={TOKEN}",
        ]
        command = [*self.command(extension, settings or {}), *options]
        with self.log.open("wb") as log:
            self.started = time.monotonic()
            self.popen = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        self.process = psutil.Process(self.popen.pid)
        self.connection = HTTPConnection("127.0.0.1", self.port, timeout=120)

    def command(self, extension: bool, settings: dict[str, Any]) -> list[str]:
        """What starts it, but for what any Jupyter server is told."""
        return [
            *(sys.executable, "-c", _LAUNCH),
            f"--ServerApp.jpserver_extensions={{'jupyter_mlops': {extension}}}",
            f"--MlopsSettings.data_dir={self.data}",
            *(f"--MlopsSettings.{name}={value}" for name, value in settings.items()),
        ]

    def wait(self) -> tuple[float, float]:
        """Wait until it answers.

        Returns:
            Seconds since its process was started, and seconds of CPU that it took.
        """
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=30):
                    pass
                self.get("/api")
            except (ConnectionError, OSError):
                if self.popen.poll() is not None:
                    raise SystemExit(f"The server ended as it started:\n{self.log.read_text()}") from None
                self.connection.close()
                time.sleep(0.005)
                continue
            wall = time.monotonic() - self.started
            times = self.process.cpu_times()
            return wall, times.user + times.system

    def get(self, path: str) -> Any:
        """What a GET answers, of JSON."""
        return json.loads(self.ask("GET", path))

    def post(self, path: str, body: Any) -> Any:
        """What a POST answers, of JSON."""
        return json.loads(self.ask("POST", path, body))

    def ask(self, verb: str, path: str, body: Any = None) -> bytes:
        """The bytes that a request answers; an error is an error."""
        text = None if body is None else json.dumps(body)
        self.connection.request(verb, path, text, {"Authorization": f"token {TOKEN}"})
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{verb} {path}: {answer.status} {content.decode()}")
        return content

    def modules(self) -> list[str]:
        """Heavy packages that its process has imported by now."""
        self.modules_file.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR2)
        while not self.modules_file.exists():
            self.get("/api")  # its main thread sees a signal only when it has something to do
        found = json.loads(self.modules_file.read_text())
        return [name for name in HEAVY if name in found]

    def close(self) -> None:
        """End it, and the service with all that it started."""
        self.connection.close()
        self.popen.terminate()
        self.popen.wait(30)
        lock = str(self.data)
        own = [process for process in psutil.process_iter() if _works_for(process, lock)]
        services = [process for process in own if "jupyter_mlops.service" in process.cmdline()]
        for process in services:
            process.terminate()
        psutil.wait_procs(services, timeout=30)
        for process in own:
            if process.is_running():
                process.kill()


def _works_for(process: psutil.Process, data: str) -> bool:
    try:
        return data in process.environ().get("JUPYTER_MLOPS_SETTINGS", "")
    except psutil.Error:
        return False


@contextmanager
def server(**options: Any) -> Iterator[Server]:
    """A server in a folder that vanishes with it."""
    with tempfile.TemporaryDirectory(prefix="mlops-benchmark-") as folder:
        running = Server(Path(folder), **options)
        try:
            yield running
        finally:
            running.close()


def write_notebook(path: Path, *sources: str) -> None:
    """A notebook whose first cell is tagged ``parameters``."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = ["parameters"]
    kernelspec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernelspec}), path)


def memory_of(processes: Iterable[psutil.Process]) -> tuple[float, float]:
    """PSS and RSS in MB, together: PSS counts what processes share once."""
    pss = rss = 0
    for process in processes:
        rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii")
        pss += int(re.search(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)[1])
        rss += int(re.search(r"^Rss:\s+(\d+)", rollup, re.MULTILINE)[1])
    return pss * 1024 / 1e6, rss * 1024 / 1e6


def machine() -> str:
    """One line on where the figures come from."""
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    cores = len(os.sched_getaffinity(0))
    return (
        f"{cores} cores ({model[1] if model else platform.machine()}), {psutil.virtual_memory().total / 1e9:.0f} GB, "
        f"{platform.system()} {platform.release().partition('-')[0]}, Python {platform.python_version()}; "
        f"load average when it began {os.getloadavg()[0]:.1f}, when it ended "
    )


def parser(description: str | None) -> argparse.ArgumentParser:
    """With the option that every benchmark has."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--write", action="store_true", help=f"put the table into {DOCUMENT.relative_to(ROOT)} too")
    return made


def table(head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    """Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def publish(name: str, text: str, where: str, *, write: bool) -> None:
    """Print a result, and put it between its markers in the document.

    Args:
        where: of :func:`machine`, as it was before the measurement.
    """
    text = f"{text}\n\n{where}{os.getloadavg()[0]:.1f}."
    print(text)
    if write:
        document = DOCUMENT.read_text(encoding="utf-8")
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        filled, count = pattern.subn(lambda found: f"{found[1]}{text}\n{found[2]}", document)
        if count != 1:
            raise SystemExit(f"{DOCUMENT} has no place marked <!-- {name} -->.")
        DOCUMENT.write_text(filled, encoding="utf-8")
