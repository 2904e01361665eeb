"""Paths of an attempt's files, and snapshots of its folder."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from ..core.runs import RunSpec

_MOST_ENTRIES = 20_000
_MOST_WRITTEN = 1_000
# a notebook that changes during a sweep was edited by the user
_IGNORED_SUFFIXES = (".ipynb", ".pyc")

Snapshot = dict[str, tuple[int, int]]


def files_folder(spec: RunSpec) -> Path:
    """MLOPS_RUN_DIR: the run's folder, shared by its attempts."""
    return Path(spec.directory) / "files"


def attempt_folder(spec: RunSpec) -> Path:
    """Folder of the attempt's executed notebook and result."""
    return Path(spec.directory) / str(spec.attempt)


def outputs_file(spec: RunSpec) -> Path:
    """MLOPS_OUTPUTS: file to which a step's notebook may write its outputs."""
    return attempt_folder(spec) / "outputs.json"


def curves_file(spec: RunSpec) -> Path:
    """MLOPS_CURVES: file to which the kernel appends what the notebook logs to MLflow."""
    return attempt_folder(spec) / "logged.jsonl"


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file atomically."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    os.replace(temporary, path)


def last_line(log: Path) -> str:
    """Last line of a log, empty if there is none."""
    try:
        return (log.read_text(errors="replace").strip().splitlines() or [""])[-1].strip()
    except OSError:
        return ""


def snapshot(folder: Path, leave_out: Collection[Path] = ()) -> Snapshot:
    """Modification time (ns) and size of the files below a folder, by relative path.

    Skips hidden files and ``__pycache__``, and reads at most 20,000 entries.
    """
    found: Snapshot = {}
    todo = [""]
    looked_at = 0
    while todo and looked_at < _MOST_ENTRIES:
        below = todo.pop()
        try:
            entries = list(os.scandir(folder / below))
        except OSError:
            continue
        for entry in entries:
            looked_at += 1
            name = entry.name
            if name.startswith(".") or name == "__pycache__" or name.endswith(_IGNORED_SUFFIXES):
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    if Path(entry.path) not in leave_out:
                        todo.append(f"{below}{name}/")
                elif entry.is_file():
                    stat = entry.stat()
                    found[below + name] = (stat.st_mtime_ns, stat.st_size)
            except OSError:
                continue
    return found


def changed(before: Snapshot, after: Snapshot) -> list[str]:
    """Paths that are new or changed in ``after``, sorted, at most 1,000."""
    return sorted(path for path, state in after.items() if before.get(path) != state)[:_MOST_WRITTEN]
