"""Promotion of a commit's files that are uploaded with the request."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath

import msgspec

from ...core.code.paths import normal
from ...core.errors import InvalidInputError, UnavailableError
from ...core.messages import Message
from ...core.pipelines.requests import PromoteRequest
from ..base import RequestsBase
from .promotion import Source, source_of_file

MOST_FILES = 20_000


@contextmanager
def uploaded(requests: RequestsBase, request: PromoteRequest) -> Iterator[tuple[Source, Path]]:
    """The source of a request with files, which lie in a temporary folder meanwhile.

    Args:
        requests: its root is the folder of the pipeline's path.

    Yields:
        the source, and the project's folder, which is created if necessary: steps read and write files there.

    Raises:
        InvalidInputError: the request is invalid.
        UnavailableError: the files or the project's folder cannot be written.
    """
    file, name = _place(request, requests.root)
    project = file.parents[len(PurePosixPath(name).parts) - 1]
    with tempfile.TemporaryDirectory(prefix="mlops-") as folder:
        tree = Path(folder).resolve()
        try:
            for path, data in request.files.items():
                place = tree / path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(data)
        except OSError as error:
            raise UnavailableError(
                Message("The files cannot be written: {strerror}.", strerror=error.strerror)
            ) from error
        inside = msgspec.structs.replace(request, path=name, files={}, commit="")
        source = source_of_file(inside, tree, requests.settings.max_runs, requests.targets)
        said = f"commit {request.commit}" if request.commit else source.said
        yield replace(source, project=tree, commit=request.commit, home=file, said=said), project
    try:
        project.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(
            Message("The folder {project} cannot be made: {strerror}.", project=project, strerror=error.strerror)
        ) from error


def _place(request: PromoteRequest, root: Path) -> tuple[Path, str]:
    """Absolute path of the promoted file, and its path in the project."""
    if not request.path or request.run_id or request.sweep_id:
        raise InvalidInputError(Message("A commit's files are promoted by the path of one of them."))
    if not request.files:
        raise InvalidInputError(
            Message("The commit's files are missing from the request."), {"files": Message("are missing")}
        )
    if len(request.files) > MOST_FILES:
        raise InvalidInputError(
            Message("More than {most_files:,} files are more than a version may hold.", most_files=MOST_FILES)
        )
    for path in request.files:
        if not path or "\0" in path or normal(path) != path or path.startswith(("/", "..")):
            raise InvalidInputError(
                Message("“{path}” is no path in a project.", path=path),
                {"files": Message("{path} is no path", path=path)},
            )
    file = (root / request.path.lstrip("/")).resolve()
    tail = f"/{file.relative_to(root).as_posix()}" if file.is_relative_to(root) else file.as_posix()
    names = [path for path in request.files if tail.endswith(f"/{path}")]
    if not names:
        raise InvalidInputError(
            Message("None of the files is {path}, which is to be promoted.", path=request.path),
            {"path": Message("is none of the files")},
        )
    return file, max(names, key=len)
