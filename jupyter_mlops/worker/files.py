"""Which files of a folder changed while a run went on."""

from __future__ import annotations

import os
from pathlib import Path

MAX_FILES = 20_000
_SKIP = {"__pycache__", "node_modules"}


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Modification time and size of the files below a folder, hidden ones left out, up to a limit."""
    found: dict[str, tuple[int, int]] = {}
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _SKIP]
        for name in names:
            if name.startswith("."):
                continue
            path = os.path.join(here, name)
            try:
                status = os.stat(path)
            except OSError:
                continue  # gone or unreadable since the folder was listed: nothing to compare
            found[os.path.relpath(path, folder)] = (status.st_mtime_ns, status.st_size)
            if len(found) >= MAX_FILES:
                return found
    return found


def changed(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> list[str]:
    """Files that are new or changed, by their path below the folder."""
    return sorted(name for name, status in after.items() if before.get(name) != status)
