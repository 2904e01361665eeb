"""The folder that a version runs in: frozen files, and links to everything else in the user's project."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import posixpath
import shutil
import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from ...core.code.files import import_folders
from ...core.errors import UnavailableError
from ...core.messages import Message
from ...core.pipelines.records import Pipeline, Version
from ..context import Context
from .file_mover import JUNK, Mover
from .safe_paths import above, can_be_moved, digest_of, names_in, outermost, state_of


class ProjectFolder:
    """A view of the user's project with frozen files.

    Folders with frozen files, and those above the project that a notebook may reach by ``..``, are real; all other
    entries are links to the user's files. Writes through a link go to the user's project; new files in real folders
    are moved there afterwards. All methods are safe for concurrent use by processes and threads, while steps run.

    Args:
        path: of the folder; its state lies in ``<path>-state``.
        live: the user's own project.
        files: sha256 by path relative to the project.
        data: paths of data among them, which may be too large to hash repeatedly.
        blob: returns bytes by their sha256.
        own: this program's data folder, hidden if it lies in the project.
    """

    def __init__(
        self,
        path: Path,
        live: Path,
        files: Mapping[str, str],
        data: Collection[str],
        blob: Callable[[str], bytes],
        *,
        own: Path | None = None,
    ) -> None:
        # ``..`` leads to the real parent of a working directory, whatever links led into it
        self.live = live.resolve()
        self._outer = outermost(self.live)
        self._base = path.absolute()
        self._state = self._base.with_name(self._base.name + "-state")
        inner = self.live.relative_to(self._outer).as_posix()
        self.path = self._base / inner
        """The project itself: notebooks run in their own folders below it."""
        self._names = files
        self._files = {posixpath.normpath(f"{inner}/{name}"): digest for name, digest in files.items()}
        self._data = {posixpath.normpath(f"{inner}/{name}") for name in data}
        self._blob = blob
        self._own = self._hidden((own or self._base.parent).resolve())
        parents = [inner, *self._files, *([self._own] if self._own else [])]
        found = {"", inner if inner != "." else "", *(folder for name in parents for folder in above(name))}
        # in this order, which has a folder before those in it
        self._folders = dict.fromkeys(sorted(found))

    @property
    def import_paths(self) -> list[str]:
        """Folders with frozen packages, for ``PYTHONPATH``.

        Without it a project in development mode would be imported from the user's working copy.
        """
        return [str(self.path / folder) for folder in import_folders(list(self._names))]

    def make(self) -> list[Message]:
        """Create or repair it: restore changed files, and update the links to the user's project.

        Returns:
            one sentence each on files that had been changed.

        Raises:
            UnavailableError: it cannot be written, or the user's folder does not answer.
        """
        with self._guarded(), self._locked():
            said = self._place_all()
            for folder in self._folders:
                self._link_entries(folder)
            return said

    def bring_back(self) -> list[Message]:
        """Move the steps' new files from real folders to the user's project.

        Returns:
            one sentence each on files that could not be moved, and on frozen files that were changed.
        """
        with self._guarded(), self._locked():
            said = self._place_all()
            mover = Mover(self._base, self._outer, self._state / "asides")
            left = [path for folder in self._folders for path in self._left_in(folder)]
            if not self.live.is_dir():
                names = ", ".join(posixpath.basename(path) for path in left[:5])
                gone = Message(
                    "{live} is gone; what was left ({names}) stays in {path}.",
                    live=self.live,
                    names=names,
                    path=self.path,
                )
                return [*said, gone] if left else said
            mover.recover()
            for path in left:
                try:
                    mover.move(path)
                except OSError as error:
                    reason = error.strerror or str(error)
                    said.append(
                        Message(
                            "{name} could not be moved to {outer} ({reason}); it stays in {base}.",
                            name=posixpath.basename(path),
                            outer=self._outer / path,
                            reason=reason,
                            base=self._base / path,
                        )
                    )
            return said

    # -- frozen files ------------------------------------------------------------------------

    def _place_all(self) -> list[Message]:
        shutil.rmtree(self._state / "new", ignore_errors=True)
        for folder in ("new", "asides"):
            (self._state / folder).mkdir(parents=True, exist_ok=True)
        for folder in self._folders:
            self._make_real(self._base / folder)
        verified = self._verified()
        before = dict(verified)
        said = [said for path, digest in self._files.items() if (said := self._place(path, digest, verified))]
        if verified != before:
            new = self._state / "new" / uuid4().hex
            new.write_text(json.dumps(verified), encoding="utf-8")
            new.replace(self._state / "verified.json")
        return said

    def _place(self, path: str, digest: str, verified: dict[str, Any]) -> Message:
        """Restore a frozen file if necessary; a warning if another file was in its place."""
        file = self._base / path
        known = path in self._data and verified.get(path) == [digest, *state_of(file)]
        if known or self._is_intact(file, digest):
            if path in self._data:
                verified[path] = [digest, *state_of(file)]
            return Message()
        aside = self._set_aside(path)
        data = self._blob(digest)
        if hashlib.sha256(data).hexdigest() != digest:
            raise UnavailableError(
                Message("The store's copy of {name} is damaged; promote anew.", name=posixpath.basename(path))
            )
        new = self._state / "new" / uuid4().hex
        new.write_bytes(data)
        # scripts with an interpreter line stay executable
        new.chmod(0o555 if data.startswith(b"#!") else 0o444)
        new.replace(file)
        for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*"):
            compiled.unlink(missing_ok=True)
        if path in self._data:
            verified[path] = [digest, *state_of(file)]
        template = "{name} is frozen, but a step changed it; what it made is {aside}."
        return Message(template, name=posixpath.basename(path), aside=aside) if aside else Message()

    @staticmethod
    def _is_intact(file: Path, digest: str) -> bool:
        try:
            found = file.lstat()
            if not stat.S_ISREG(found.st_mode):
                return False
            if digest_of(file) != digest:
                return False
        except OSError:
            return False
        if found.st_mode & 0o222:
            file.chmod(found.st_mode & ~0o222 & 0o777)
        return True

    def _verified(self) -> dict[str, Any]:
        """Fingerprints of data files at their last verification."""
        try:
            loaded = json.loads((self._state / "verified.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return loaded if isinstance(loaded, dict) else {}

    def _set_aside(self, path: str) -> Path | None:
        """Move what lies in the place of a frozen file or folder away; links are deleted."""
        there = self._base / path
        if there.is_symlink() or not there.exists():
            there.unlink(missing_ok=True)
            return None
        # identical changes are kept once
        name = digest_of(there) if there.is_file() else uuid4().hex
        aside = self._state / "changed" / name[:12] / there.name
        aside.parent.mkdir(parents=True, exist_ok=True)
        there.replace(aside)
        return aside

    def _make_real(self, folder: Path) -> None:
        if folder.is_symlink() or not folder.is_dir():
            if folder != self._base:
                self._set_aside(folder.relative_to(self._base).as_posix())
            folder.mkdir(parents=True, exist_ok=True)

    # -- everything else ---------------------------------------------------------------------

    def _link_entries(self, folder: str) -> None:
        """Create links for the entries of the user's folder, and remove those of vanished entries."""
        place = self._base / folder
        wanted = {
            name
            for name in names_in(self._outer / folder)
            if name not in JUNK and not self._is_ours(posixpath.join(folder, name))
        }
        there = set(names_in(place))
        for name in wanted - there:
            with contextlib.suppress(FileExistsError):
                (place / name).symlink_to(self._outer / folder / name)
        for name in there - wanted:
            if self._is_own_link(posixpath.join(folder, name)):
                (place / name).unlink(missing_ok=True)

    def _left_in(self, folder: str) -> Iterator[str]:
        """New files in a real folder; caches are removed."""
        for name in names_in(self._base / folder):
            path = posixpath.join(folder, name)
            if name in JUNK:
                shutil.rmtree(self._base / path, ignore_errors=True)
            elif not self._is_ours(path) and not self._is_own_link(path) and can_be_moved(self._base / path):
                yield path

    def _is_ours(self, path: str) -> bool:
        """Whether a path is a frozen file, a real folder, or this program's own folder."""
        return path in self._files or path in self._folders or path == self._own

    def _is_own_link(self, path: str) -> bool:
        # called for many thousand entries; strings are faster than Path
        try:
            return os.readlink(f"{self._base}/{path}") == f"{self._outer}/{path}"
        except OSError:
            return False

    def _hidden(self, own: Path) -> str:
        """Relative path of this program's folder if it lies in the project, where links would be circular."""
        return own.relative_to(self._outer).as_posix() if own != self.live and own.is_relative_to(self.live) else ""

    # -- locking -----------------------------------------------------------------------------

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._state.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._state / "lock").open("a") as file:
            # the system frees the lock however its holder ends
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UnavailableError(
                Message(
                    "The folder that the version runs in, {base}, cannot be made ({strerror}); free disk "
                    "space, or make its place writable.",
                    base=self._base,
                    strerror=error.strerror or error,
                )
            ) from error


def prepared(context: Context, pipeline: Pipeline, version: Version) -> ProjectFolder:
    """Create or repair the project folder of a version.

    Raises:
        MlopsError: that is impossible.
    """
    folder = ProjectFolder(
        context.layout.project(pipeline.id, version.number),
        Path(pipeline.project),
        version.files,
        version.data,
        context.store.blobs.get,
        own=context.layout.data,
    )
    folder.make()
    return folder
