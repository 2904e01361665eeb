"""File system queries that tolerate concurrent changes."""

from __future__ import annotations

import errno
import hashlib
import os
import posixpath
import stat
from collections.abc import Iterator
from pathlib import Path

_LEVELS = 2  # levels above a project that notebooks are likely to reach by ``..``
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP})


def outermost(live: Path) -> Path:
    """The folder up to which ``..`` works: some levels above the project, but not above the home folder."""
    home = Path.home().resolve()
    found = live
    for _ in range(_LEVELS):
        above = found.parent
        if found == home or above == above.parent:
            break
        found = above
    return found


def can_be_moved(path: Path) -> bool:
    """Whether a path is a file, folder or link, not a socket or pipe."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)


def above(path: str) -> Iterator[str]:
    """Parent folders of a relative path, innermost first."""
    folder = posixpath.dirname(path)
    while folder:
        yield folder
        folder = posixpath.dirname(folder)


def names_in(folder: Path) -> list[str]:
    """Names in a folder; none if it is missing or unreadable."""
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
    """Fingerprint that changes with a file's content; empty if there is no file."""
    try:
        found = file.lstat()
    except OSError:
        return []
    return [found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_mode]
