"""Freezes a project's code and chosen data for a version."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...core.code.files import code_files
from ...core.code.paths import normal
from ...core.errors import InvalidInputError
from ...core.messages import Message
from ..git import commit_of, diff_of, top_of

MB = 1_000_000
CODE_LIMIT = 200 * MB
DATA_LIMIT = 5_000 * MB
FILE_LIMIT = 900 * MB  # databases take less than a gigabyte as one value
DIFF_LIMIT = 1 * MB
MOST_FILES = 20_000
_LONGEST_SOURCE = 20 * MB  # longer files are generated, and not searched for imports
_NEVER = frozenset({".git", "__pycache__", ".ipynb_checkpoints", "node_modules", "site-packages", "dist-packages"})
_INSTALLED = re.compile(r"(^|/)(site-packages|dist-packages|lib/python3\.\d+)/")


@dataclass(frozen=True)
class Frozen:
    """The frozen files.

    Attributes:
        files: sha256 by path relative to the project: notebooks, code, data.
        data: paths of the data among them.
        git_commit: with ``+`` appended if the work tree is dirty.
        git_diff: sha256 of the changes since that commit, empty if there are none.
        warnings: one sentence each on files that could not be frozen, or have changed since the run.
    """

    files: dict[str, str] = field(default_factory=dict)
    data: list[str] = field(default_factory=list)
    git_commit: str = ""
    git_diff: str = ""
    warnings: list[Message] = field(default_factory=list)


def project_root(file: Path, server_root: Path | None) -> Path:
    """The project of a file: its git work tree if that lies within the server's root, else its folder.

    Args:
        server_root: None for no restriction.
    """
    top = top_of(file.parent)
    if top is None or (server_root is not None and not top.is_relative_to(server_root.resolve())):
        return file.parent
    # keep links in the file's path
    return next((folder for folder in file.parents if folder.resolve() == top), file.parent)


def collect(
    project: Path,
    notebooks: Iterable[str],
    put: Callable[[bytes], str],
    *,
    seen: Mapping[str, str] | None = None,
    patterns: Iterable[str] = (),
    folder: str = "",
    contents: Mapping[str, bytes] | None = None,
) -> Frozen:
    """Freeze notebooks, the code they import, the modules that a run imported, and chosen data.

    Args:
        notebooks: paths relative to the project.
        put: stores bytes and returns their sha256.
        seen: sha256 by path of the modules that a run imported.
        patterns: of data, relative to ``folder``.
        folder: relative to the project.
        contents: bytes to freeze instead of the project's files, by path.

    Raises:
        InvalidInputError: a notebook is missing, or the files exceed the size limits.
    """
    reader = _Reader(project, {normal(path): data for path, data in (contents or {}).items()})
    wanted = [normal(notebook) for notebook in notebooks]
    for notebook in wanted:
        if notebook.startswith("..") or not reader.exists(notebook):
            raise InvalidInputError(
                Message("There is no notebook {notebook} in {project}.", notebook=notebook, project=project)
            )
    found = code_files(wanted, reader.text)
    warnings = list(found.unfollowed)
    code = dict.fromkeys(found.files)
    imported = dict(_imported(project, seen or {}, warnings))
    code.update(dict.fromkeys(path for path in imported if reader.exists(path)))
    for path in [path for path in code if posixpath.basename(path).startswith(".env")]:
        del code[path]
        warnings.append(Message("{path} is not frozen but read where it lies, as it may hold secrets.", path=path))
    data = [path for path in _chosen(project, folder, patterns, warnings) if path not in code]
    _check_sizes(reader, list(code), data)
    files = {path: put(content) for path in [*code, *data] if (content := reader.content(path)) is not None}
    warnings += [*_differences(imported, files, reader), *reader.problems.values()]
    diff = diff_of(project, DIFF_LIMIT)
    if diff is None:
        warnings.append(
            Message(
                "What is different from git's commit is more than {diff_limit} MB and was not kept; the code is.",
                diff_limit=DIFF_LIMIT // MB,
            )
        )
    return Frozen(
        files=dict(sorted(files.items())),
        data=sorted(path for path in data if path in files),
        git_commit=commit_of(project),
        git_diff=put(diff) if diff else "",
        warnings=list(dict.fromkeys(warnings)),
    )


class _Reader:
    """Reads a project's files, and collects problems."""

    def __init__(self, project: Path, contents: Mapping[str, bytes]) -> None:
        self._project = project
        self._contents = contents
        self._texts: dict[str, str | None] = {}
        self.problems: dict[str, Message] = {}

    def exists(self, path: str) -> bool:
        """Whether the file exists."""
        if path in self._contents:
            return True
        try:
            return (self._project / path).is_file()
        except OSError:
            # a name that is too long, or an unreadable folder
            return False

    def size(self, path: str) -> int:
        """Bytes of a file that exists."""
        if path in self._contents:
            return len(self._contents[path])
        try:
            return (self._project / path).stat().st_size
        except OSError:
            return 0

    def content(self, path: str) -> bytes | None:
        """Bytes of a file, None if it cannot be read."""
        if path in self._contents:
            return self._contents[path]
        try:
            return (self._project / path).read_bytes()
        except OSError as error:
            self.problems[path] = Message(
                "{path} is not frozen, because it cannot be read: {strerror}.", path=path, strerror=error.strerror
            )
            return None

    def text(self, path: str) -> str | None:
        """Text of a file, None if it does not exist or cannot be read."""
        if path not in self._texts:
            self._texts[path] = self._text(path)
        return self._texts[path]

    def _text(self, path: str) -> str | None:
        if not self.exists(path):
            return None
        if self.size(path) > _LONGEST_SOURCE:
            return ""
        content = self.content(path)
        return None if content is None else content.decode(errors="replace")


def _imported(project: Path, seen: Mapping[str, str], warnings: list[Message]) -> Iterator[tuple[str, str]]:
    """Path in the project and hash of the modules that a run imported, without installed packages."""
    for name, digest in seen.items():
        path = normal(name)
        if Path(name).is_absolute() and Path(name).is_relative_to(project):
            path = Path(name).relative_to(project).as_posix()
        if _INSTALLED.search(path):
            continue
        if path.startswith(("..", "/")):
            warnings.append(
                Message(
                    "{name} was imported by the run but lies outside the project, so that it is not "
                    "frozen; move it into the project, or install it as a package.",
                    name=name,
                )
            )
            continue
        yield path, digest


def _differences(imported: Mapping[str, str], files: Mapping[str, str], reader: _Reader) -> Iterator[Message]:
    for path, digest in imported.items():
        if path in files:
            if digest and files[path] != digest:
                yield Message("{path} was changed since the run; it is frozen as it is now.", path=path)
        elif path not in reader.problems and not reader.exists(path):
            yield Message(
                "{path} was imported by the run but is not there any more, so that it is not frozen.", path=path
            )


# -- data --------------------------------------------------------------------------------------


def _chosen(project: Path, folder: str, patterns: Iterable[str], warnings: list[Message]) -> list[str]:
    found: dict[str, None] = {}
    for pattern in patterns:
        inside = Path(pattern).is_relative_to(project)
        whole = normal(
            Path(pattern).relative_to(project).as_posix() if inside else posixpath.join(folder or ".", pattern)
        )
        if whole.startswith(("..", "/")):
            warnings.append(
                Message("Nothing of {pattern} is frozen, because it lies outside the project.", pattern=pattern)
            )
            continue
        before = len(found)
        for path in _matches(project, whole, pattern):
            found[path] = None
            if len(found) > MOST_FILES:
                raise InvalidInputError(
                    Message(
                        "More than {most_files:,} files are to be frozen as data; choose fewer, or pack them into one.",
                        most_files=MOST_FILES,
                    )
                )
        if len(found) == before:
            warnings.append(Message("No file is named as {pattern}, which was to be frozen.", pattern=pattern))
    return list(found)


def _matches(project: Path, whole: str, pattern: str) -> Iterator[str]:
    try:
        if any(sign in whole for sign in "*?["):
            places: Iterable[Path] = project.glob(whole)
            for place in places:
                yield from _files(project, place)
        else:
            yield from _files(project, project / whole)
    except (ValueError, NotImplementedError) as error:
        raise InvalidInputError(
            Message("{pattern} is no pattern of files: {error}.", pattern=pattern, error=error)
        ) from None


def _files(project: Path, place: Path) -> Iterator[str]:
    for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
        path = file.relative_to(project)
        if file.is_file() and not _NEVER.intersection(path.parts):
            yield path.as_posix()


# -- limits ------------------------------------------------------------------------------------


def _check_sizes(reader: _Reader, code: list[str], data: list[str]) -> None:
    for paths, limit, what in ((code, CODE_LIMIT, "code"), (data, DATA_LIMIT, "data to be frozen")):
        sizes = sorted(((reader.size(path), path) for path in paths), reverse=True)
        total = sum(size for size, _ in sizes)
        if total > limit:
            largest = ", ".join(f"{path} ({size / MB:,.0f} MB)" for size, path in sizes[:3])
            raise InvalidInputError(
                Message(
                    "The {what} takes {total:,.0f} MB, more than the {limit:,.0f} MB that a version may "
                    "hold; the largest of it: {largest}.",
                    what=what,
                    total=total / MB,
                    limit=limit / MB,
                    largest=largest,
                )
            )
        if sizes and sizes[0][0] > FILE_LIMIT:
            raise InvalidInputError(
                Message(
                    "{sizes} takes {sizes2:,.0f} MB, more than the {file_limit:,.0f} MB that one file of a "
                    "version may take; read it live instead.",
                    sizes=sizes[0][1],
                    sizes2=sizes[0][0] / MB,
                    file_limit=FILE_LIMIT / MB,
                )
            )
