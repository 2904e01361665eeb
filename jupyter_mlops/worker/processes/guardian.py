"""A small process beside each worker that ends the worker's kernels when the worker dies.

It holds the reading end of a pipe. Whatever ends the worker, signal 9 included, closes the writing end; the
guardian then ends every kernel that is still registered and removes its sockets.
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
    """This process's line to its guardian; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0
        self._known: dict[int, dict[str, Any]] = {}

    def add(self, group: ProcessGroup, folder: Path) -> None:
        """Have a kernel's processes ended, and its folder removed, should this process die."""
        entry = {"pid": group.pid, "started": group.started, "folder": str(folder)}
        with self._lock:
            self._known[group.pid] = entry
            self._send({"add": entry})

    def remove(self, group: ProcessGroup) -> None:
        """Forget a kernel that is gone."""
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
            # it ended in this moment; the next registration starts another and tells it everything
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
            # a session of its own: what ends the worker's terminal or group must not end it
            start_new_session=True,
        )
        self._owner = os.getpid()


guard = Guard()


def watch(lines: TextIO) -> None:
    """Follow registrations until the worker is gone, then end what is still registered."""
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
