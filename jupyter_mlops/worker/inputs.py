"""Records the files that a run read and imported, with their hashes."""

from __future__ import annotations

import glob
import hashlib
import os
from functools import lru_cache
from pathlib import Path
from threading import Lock

from ..core.runs import InputFile, RunSpec

MOST_INPUTS = 1_000
_MOST_CODE = 5_000
_LARGEST = 2_000_000_000  # bytes; hashing larger files takes too long
_MOST_REMEMBERED = 20_000

State = tuple[int, int, int]  # time of change, size, inode

_hashes: dict[tuple[str, State], str] = {}
_lock = Lock()


def state_of(path: str) -> State | None:
    """Fingerprint of a file without reading it, None if there is no such file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def sha256_of(path: str, state: State) -> str:
    """Hash of a file, cached while its state is unchanged; empty if it cannot be read."""
    key = (path, state)
    with _lock:
        known = _hashes.get(key)
    if known is None:
        try:
            with open(path, "rb") as file:
                known = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return ""
        with _lock:
            if len(_hashes) >= _MOST_REMEMBERED:
                _hashes.clear()
            _hashes[key] = known
    return known


@lru_cache(maxsize=64)
def _top_level(folder: str) -> str:
    """The folder's git work tree, or the folder itself outside git."""
    return str(next((place for place in (Path(folder), *Path(folder).parents) if (place / ".git").exists()), folder))


def project_folders(spec: RunSpec) -> list[str]:
    """Folders of the run's own code, each with a trailing separator."""
    extras = spec.extras
    given = [extras.project, extras.live] if extras is not None and extras.project else [_top_level(spec.folder)]
    paths = [path for folder in given if folder for path in (folder, os.path.realpath(folder))]
    return list(dict.fromkeys(os.path.join(path, "") for path in paths))


def shown_path(spec: RunSpec, path: str) -> str:
    """Path to show: relative inside the project or a version's copy of it, else absolute."""
    extras = spec.extras
    if extras is not None:
        for folder in (extras.project, extras.live):
            for root in (folder, os.path.realpath(folder)) if folder else ():
                if path.startswith(os.path.join(root, "")):
                    return os.path.relpath(path, root)
    return path


def code_of(spec: RunSpec, loaded: list[str]) -> dict[str, str]:
    """sha256 by path of the imported modules' files."""
    code = {}
    for path in loaded[:_MOST_CODE]:
        state = state_of(path)
        if state is not None and (found := sha256_of(path, state)):
            code[shown_path(spec, path)] = found
    return code


def input_of(spec: RunSpec, path: str, read: State) -> InputFile:
    """Record of a file that was read.

    Args:
        read: its state when it was read; if it has changed since, its hash stays empty.
    """
    same = state_of(path) == read and read[1] <= _LARGEST
    return InputFile(path=shown_path(spec, path), sha256=sha256_of(path, read) if same else "", size=read[1])


def expected_inputs(spec: RunSpec) -> dict[str, State]:
    """Files that match the step's input patterns, with their current state."""
    found: dict[str, State] = {}
    for pattern in spec.extras.inputs if spec.extras is not None else ():
        for path in sorted(glob.iglob(os.path.join(spec.folder, os.path.expanduser(pattern)), recursive=True)):
            state = state_of(path) if os.path.isfile(path) else None
            if state is not None:
                found[os.path.normpath(path)] = state
    return found


def inputs_of(spec: RunSpec, opened: dict[str, State]) -> list[InputFile]:
    """Records of the files that were read, without duplicates, at most a thousand.

    Args:
        opened: states by path when they were read.
    """
    found: dict[str, InputFile] = {}
    for path, state in opened.items():
        if (shown := shown_path(spec, path)) not in found:
            found[shown] = input_of(spec, path, state)
        if len(found) >= MOST_INPUTS:
            break
    return list(found.values())
