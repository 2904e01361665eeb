"""Looking at places on a disk that others change meanwhile."""

from __future__ import annotations

import errno
import hashlib
import os
import posixpath
import stat
from collections.abc import Iterator
from pathlib import Path

_LEVELS = 2  # as far as notebooks are likely to go upwards from a project
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP})


def outermost(live: Path) -> Path:
    """The folder up to which ``..`` leads to the person's own files: some levels up, but not out of their home."""
    home = Path.home().resolve()
    found = live
    for _ in range(_LEVELS):
        above = found.parent
        if found == home or above == above.parent:
            break
        found = above
    return found


def can_be_moved(path: Path) -> bool:
    """Whether it is a file, folder or link; a socket or pipe is of no use elsewhere."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)


def above(path: str) -> Iterator[str]:
    """Folders that a relative path lies in, the innermost first."""
    folder = posixpath.dirname(path)
    while folder:
        yield folder
        folder = posixpath.dirname(folder)


def names_in(folder: Path) -> list[str]:
    """Names in a folder; none where it is gone, or may not be looked into."""
    try:
        return os.listdir(folder)
    except OSError as error:
        if error.errno in _GONE:
            return []
        raise


def digest_of(file: Path) -> str:
    """sha256 of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def state_of(file: Path) -> list[int]:
    """What changes with a file's content, however that is changed; empty where there is no file."""
    try:
        found = file.lstat()
    except OSError:
        return []
    return [found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_mode]
