"""Moves a step's new files into the user's project while other steps may still use them.

A file exists at its new path before a link replaces it at the old one, so it can always be found by both names, and
processes that have it open keep writing to the same file.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from uuid import uuid4

# caches
JUNK = frozenset({"__pycache__", ".ipynb_checkpoints"})
_NO_LINKS = frozenset({errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL})
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
State = tuple[int, int, int]


class Mover:
    """Moves files and folders from one tree to the same places in another.

    Args:
        source: root of the tree they are moved from.
        target: root of the tree they are moved to.
        asides: folder on the same file system as ``source``, for replaced files.
    """

    def __init__(self, source: Path, target: Path, asides: Path) -> None:
        self._source = source
        self._target = target
        self._asides = asides

    def move(self, path: str) -> None:
        """Move one file, link or folder, and leave a link to the new path in its place.

        What is renamed or removed meanwhile is left for the next call.

        Raises:
            OSError: it could not be moved, and stays where it was.
        """
        source, target = self._source / path, self._target / path
        if not os.path.lexists(source):
            return
        self._refuse(source, target)
        if self._rename(source, target):
            return
        done: dict[Path, State] = {}
        target.parent.mkdir(parents=True, exist_ok=True)
        new = not os.path.lexists(target)
        self._publish(source, target, done)
        aside = self._swap(source, target, path)
        if aside is not None:
            self._settle(aside, target, done)
        elif new and not _is_real_folder(target):
            target.unlink(missing_ok=True)

    def recover(self) -> None:
        """Finish the moves that a killed process had begun."""
        for aside in list(self._asides.iterdir()) if self._asides.is_dir() else []:
            with contextlib.suppress(FileNotFoundError):
                path = (aside / "to").read_text(encoding="utf-8")
                if (aside / "what").is_symlink():
                    # killed before the exchange
                    (aside / "what").unlink()
                for name in ("taken", "what"):
                    if os.path.lexists(aside / name):
                        self._publish_newer(aside / name, self._target / path)
            shutil.rmtree(aside, ignore_errors=True)

    # -- steps of a move ---------------------------------------------------------------------

    def _refuse(self, source: Path, target: Path) -> None:
        """Refuse moves that would overwrite a folder or a file that is being written."""
        folder = _is_real_folder(source)
        if folder and os.path.lexists(target) and not target.is_dir():
            raise FileExistsError(errno.EEXIST, "there is a file of that name")
        if not folder and _is_real_folder(target):
            raise FileExistsError(errno.EEXIST, "there is a folder of that name")
        written = next((file for file in self._written if file == source or source in file.parents), None)
        if written is not None:
            raise BlockingIOError(errno.EBUSY, f"{written.name} is still being written")

    def _rename(self, source: Path, target: Path) -> bool:
        """If a step renamed one of our links, rename the file behind it; whether it did."""
        if not source.is_symlink():
            return False
        behind = Path(os.readlink(source))
        if not behind.is_relative_to(self._target) or not os.path.lexists(behind):
            return False
        if os.path.lexists(self._source / behind.relative_to(self._target)):
            return False
        os.replace(behind, target)
        new = self._asides / uuid4().hex
        new.symlink_to(target)
        os.replace(new, source)
        return True

    @cached_property
    def _written(self) -> list[Path]:
        """Files that processes of this account have open for writing."""
        import psutil

        found: list[Path] = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                # psutil knows the mode on Linux only
                opened = [file for file in process.open_files() if getattr(file, "mode", "w") != "r"]
                found += [Path(file.path) for file in opened]
        return found

    def _publish(self, source: Path, target: Path, done: dict[Path, State]) -> None:
        """Make a file or folder also exist at ``target``; skips what is unchanged since ``done``."""
        with contextlib.suppress(FileNotFoundError):
            found = source.lstat()
            if stat.S_ISDIR(found.st_mode):
                target.mkdir(exist_ok=True)
                for entry in _entries(source):
                    self._publish(entry, target / entry.name, done)
                return
            state = (found.st_ino, found.st_size, found.st_mtime_ns)
            if done.get(target) == state or not (stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode)):
                return
            self._publish_file(source, target)
            done[target] = state

    def _publish_newer(self, source: Path, target: Path) -> None:
        if _is_real_folder(source):
            for entry in _entries(source):
                self._publish_newer(entry, target / entry.name)
        elif not os.path.lexists(target) or target.lstat().st_mtime_ns < source.lstat().st_mtime_ns:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._publish(source, target, {})

    def _publish_file(self, source: Path, target: Path) -> None:
        new = target.with_name(f".{target.name[:100]}.{uuid4().hex[:8]}")
        try:
            if source.is_symlink():
                new.symlink_to(self._pointed(os.readlink(source)))
            elif not _linked(source, new):
                shutil.copy2(source, new)
            elif target.exists() and target.samefile(new):
                # renaming one name of a file to another of its names does nothing
                return
            os.replace(new, target)
        finally:
            with contextlib.suppress(FileNotFoundError):
                new.unlink()

    def _pointed(self, text: str) -> str:
        """Target of a link once moved: absolute paths into the source tree move along."""
        inside = Path(text).is_absolute() and Path(text).is_relative_to(self._source)
        return str(self._target / Path(text).relative_to(self._source)) if inside else text

    def _swap(self, source: Path, target: Path, path: str) -> Path | None:
        """Replace a path by a link; returns the folder that holds the old entry as ``what``, None if that vanished."""
        aside = self._asides / uuid4().hex
        aside.mkdir(parents=True)
        (aside / "to").write_text(path, encoding="utf-8")
        what = aside / "what"
        what.symlink_to(target)
        try:
            if not _exchange(what, source):
                source.rename(aside / "taken")
                what.rename(source)
                (aside / "taken").rename(what)
        except FileNotFoundError:
            shutil.rmtree(aside)
            return None
        return aside

    def _settle(self, aside: Path, target: Path, done: dict[Path, State]) -> None:
        """Publish what changed before the link was in place."""
        self._publish(aside / "what", target, done)
        shutil.rmtree(aside, ignore_errors=True)


def _is_real_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _entries(folder: Path) -> Iterator[Path]:
    return (entry for entry in list(folder.iterdir()) if entry.name not in JUNK)


def _linked(source: Path, new: Path) -> bool:
    """Hard-link a file; False where the file system cannot."""
    try:
        os.link(source, new, follow_symlinks=False)
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise
    return True


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names atomically; False where the system cannot."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    done = renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    if done == 0:
        return True
    if ctypes.get_errno() == errno.ENOENT:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(other))
    return False
