"""Ends kernels whose worker is gone, even one killed with signal 9.

A worker that dies leaves its kernels running: they have sessions of their own. So each worker starts
one guardian, which reads process groups from a pipe; when the pipe ends, it kills those still listed.
This file is run as a script by a bare interpreter and imports the standard library only.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading

_lock = threading.Lock()
_guardian: subprocess.Popen[bytes] | None = None


def watch(group: int) -> None:
    """Have a process group killed when this process ends."""
    _send(f"+{group}\n")


def forget(group: int) -> None:
    """The process group is gone; its number may be given to others."""
    _send(f"-{group}\n")


def _send(line: str) -> None:
    global _guardian  # noqa: PLW0603 one guardian a process
    with _lock:
        if _guardian is None or _guardian.poll() is not None:
            _guardian = subprocess.Popen(
                [sys.executable, "-S", "-E", __file__], stdin=subprocess.PIPE, start_new_session=True
            )
        assert _guardian.stdin is not None
        _guardian.stdin.write(line.encode())
        _guardian.stdin.flush()


def _main() -> None:
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    for group in groups:
        # it may have ended since by itself
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    _main()
