"""A small process beside each worker that kills the worker's kernels when the worker dies.

It reads a pipe from the worker. However the worker ends, even by SIGKILL, the pipe closes; the guardian then kills
all registered kernels and removes their sockets.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

from ...core.processes import PYTHON
from .groups import ProcessGroup


class Guard:
    """This process's connection to its guardian; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0
        self._known: dict[int, dict[str, Any]] = {}

    def add(self, group: ProcessGroup, folder: Path) -> None:
        """Register a kernel: if this process dies, it is killed and its folder removed."""
        entry = {"pid": group.pid, "started": group.started, "folder": str(folder)}
        with self._lock:
            self._known[group.pid] = entry
            self._send({"add": entry})

    def remove(self, group: ProcessGroup) -> None:
        """Unregister a kernel."""
        with self._lock:
            if self._known.pop(group.pid, None):
                self._send({"remove": group.pid})

    def _send(self, message: dict[str, Any]) -> None:
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            self._start()
            messages = [{"add": entry} for entry in self._known.values()]
        else:
            messages = [message]
        assert self._process is not None and self._process.stdin is not None
        try:
            for line in messages:
                self._process.stdin.write(json.dumps(line) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            # the guardian has just died; the next registration starts another with all entries
            self._process = None

    def _start(self) -> None:
        root = str(Path(__file__).resolve().parents[__name__.count(".")])
        path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
        self._process = subprocess.Popen(
            [*PYTHON, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd="/",
            env={**os.environ, "PYTHONPATH": path},
            # its own session: signals to the worker's terminal or group must not reach it
            start_new_session=True,
        )
        self._owner = os.getpid()


guard = Guard()


def watch(lines: TextIO) -> None:
    """Read registrations until the worker is gone, then kill all registered kernels."""
    known: dict[int, dict[str, Any]] = {}
    for line in lines:
        message = json.loads(line)
        if "add" in message:
            known[message["add"]["pid"]] = message["add"]
        else:
            known.pop(message["remove"], None)
    for entry in known.values():
        ProcessGroup(entry["pid"], entry["started"]).kill()
        shutil.rmtree(entry["folder"], ignore_errors=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    watch(sys.stdin)
