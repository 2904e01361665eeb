"""Records the files that a notebook opens for reading. Sent to the kernel: standard library only."""

from __future__ import annotations

import json
import os
import site
import stat
import sys
import tempfile
import time
from typing import Any

EVENT = "jupyter_mlops.opened"  # audit event that asks for the recorded files
CODE = (".py", ".pyc", ".pyi", ".so", ".ipynb", ".pth")
MOST = 20_000
# folders without data
SYSTEM = ("/proc", "/dev", "/sys", "/etc", "/run", "/usr/share")
PROGRAMS = (".cache", ".config", ".ipython", ".jupyter", ".local", ".matplotlib")


class Opened:
    """The files opened so far.

    Attributes:
        files: by path: time of change, size and inode at the first opening; None for files created by the run.
    """

    def __init__(self) -> None:
        self.began = time.time_ns()
        self.files: dict[str, tuple[int, int, int] | None] = {}

    def opened(self, file: Any, mode: Any, flags: int) -> None:
        """Record the opening of a file; one that is written first counts as created by the run."""
        if not isinstance(file, (str, bytes, os.PathLike)) or (mode is not None and not flags):
            return  # a descriptor; a module
        path = os.fsdecode(file)
        if path.endswith(CODE):
            return
        path = os.path.abspath(path)
        if path in self.files or len(self.files) >= MOST:
            return
        access = flags & (os.O_RDONLY | os.O_WRONLY | os.O_RDWR)
        if access == os.O_WRONLY or flags & (os.O_TRUNC | os.O_EXCL):
            self.files[path] = None
            return
        try:
            found = os.stat(path)
        except OSError:
            if flags & os.O_CREAT:
                self.files[path] = None
            return
        if stat.S_ISREG(found.st_mode):
            self.files[path] = (found.st_mtime_ns, found.st_size, found.st_ino)

    def renamed(self, target: Any) -> None:
        """Record the renaming of a file."""
        self.files.setdefault(os.path.abspath(os.fsdecode(target)), None)

    def inputs(self, kept: list[str], skipped: list[str]) -> list[list[Any]]:
        """Path, time, size and inode of each file that is data; see :func:`read_opened`."""
        home = os.path.expanduser("~")
        temporary = tempfile.gettempdir()
        skipped = [*skipped, *SYSTEM, *(os.path.join(home, name) for name in PROGRAMS), *_installed()]
        folders = {os.path.join(folder, ""): False for folder in skipped if folder}
        folders.update({os.path.join(folder, ""): True for folder in kept if folder})
        found = []
        for path, state in self.files.items():
            if state is None:
                continue
            inner = max((folder for folder in folders if path.startswith(folder)), key=len, default="")
            if not folders.get(inner, True) or "/site-packages/" in path[len(inner) :]:
                continue
            if not inner and path.startswith(os.path.join(temporary, "")) and state[0] > self.began:
                continue  # written by a child process of the run
            found.append([path, *state])
        return found


def _installed() -> set[str]:
    folders = {sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(os.__file__)}
    if hasattr(site, "getusersitepackages"):
        folders.add(site.getusersitepackages())
    return folders


def watch() -> None:
    """Start recording; that cannot be undone."""
    seen = Opened()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        try:
            if event == "open":
                seen.opened(*arguments)
            elif event == "os.rename":
                seen.renamed(arguments[1])
            elif event == EVENT:
                arguments[0].append(seen)
        except Exception:  # would fail the notebook's own call, which reports the problem itself
            return

    sys.addaudithook(hook)


def read_opened(kept: list[str], skipped: list[str]) -> str:
    """The files that were opened for reading, as JSON; null if recording was not started.

    Args:
        kept: folders whose files count as inputs.
        skipped: folders whose files do not; of nested folders the inner one decides.
    """
    asked: list[Opened] = []
    sys.audit(EVENT, asked)
    return json.dumps(asked[0].inputs(kept, skipped) if asked else None)
