"""Files and folders that only their owner may read."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from pathlib import Path
from typing import Any

from .core.errors import UnavailableError
from .core.messages import Message

_OTHERS = 0o077
_ELSEWHERE = "set MlopsSettings.data_dir to a folder of your own"


def private(path: str, flags: int) -> int:
    """``opener`` for :func:`open` that creates files with mode 0600."""
    return os.open(path, flags, 0o600)


def write_private(path: Path, content: dict[str, Any]) -> None:
    """Write JSON atomically, readable only by this user."""
    beside = path.with_suffix(f".{os.getpid()}.tmp")
    with open(beside, "w", encoding="utf-8", opener=private) as file:
        json.dump(content, file)
    beside.replace(path)


def make_private(folder: Path, *names: str) -> None:
    """Create a folder with subfolders if necessary, and revoke other users' access to them and to the files in it.

    Raises:
        UnavailableError: it cannot be created, belongs to another user, or its file system has no permissions.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _close(folder, folder.stat())
        for name in names:
            (folder / name).mkdir(exist_ok=True, mode=0o700)
        with os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    if not entry.is_symlink():
                        _close(Path(entry.path), entry.stat(follow_symlinks=False))
    except OSError as error:
        raise UnavailableError(
            Message(
                "The data folder {folder} cannot be used ({error}); {elsewhere}.",
                folder=folder,
                error=error,
                elsewhere=_ELSEWHERE,
            )
        ) from error


def _close(path: Path, found: os.stat_result) -> None:
    if found.st_uid != os.geteuid():
        raise UnavailableError(
            Message(
                "{path} belongs to another user, who can read and change what is in it; {elsewhere}.",
                path=path,
                elsewhere=_ELSEWHERE,
            )
        )
    if found.st_mode & _OTHERS:
        path.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)
        if path.stat().st_mode & _OTHERS:
            raise UnavailableError(
                Message(
                    "Other users can read {path}, and its file system keeps it so; {elsewhere}.",
                    path=path,
                    elsewhere=_ELSEWHERE,
                )
            )
