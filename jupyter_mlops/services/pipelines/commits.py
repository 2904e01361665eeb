"""Collects the files for a version of a git commit, without using the work tree."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ...core.errors import InvalidInputError
from ...core.messages import Message
from ...core.pipelines.requests import PromoteRequest
from .. import git
from .freeze import collect
from .promotion import source_of_file
from .steps import notebook_path


@dataclass(frozen=True)
class CommitFiles:
    """The files of a commit to promote.

    Attributes:
        path: of the pipeline file or notebook, relative to the repository's top.
        contents: bytes by path relative to the top.
        warnings: one sentence each on files that are missing.
    """

    commit: str
    path: str
    contents: dict[str, bytes]
    warnings: list[Message]


def files_of_commit(file: Path, revision: str) -> CommitFiles:
    """Collect what the promotion of a file from a commit needs.

    Args:
        file: absolute; it need not exist in the work tree.

    Raises:
        InvalidInputError: there is no such commit, or the file in it makes no pipeline.
        NotFoundError: the commit has no such file.
    """
    there = next(folder for folder in file.parents if folder.is_dir())
    top = git.top_of(there)
    if top is None:
        raise InvalidInputError(
            Message(
                "{there} is in no git repository, so that it has no commit {revision}.", there=there, revision=revision
            )
        )
    # git's top is a real path
    path = (there.resolve() / file.relative_to(there)).relative_to(top)
    commit = git.commit_named(top, revision)
    if not commit:
        raise InvalidInputError(
            Message(
                "There is no commit “{revision}” in {top}; a shallow clone may lack it.", revision=revision, top=top
            )
        )
    with tempfile.TemporaryDirectory(prefix="mlops-") as folder:
        tree = Path(folder).resolve() / "tree"
        problem = git.check_out(top, commit, tree)
        if problem:
            raise InvalidInputError(
                Message("git cannot lay out commit {commit}: {problem}", commit=commit[:12], problem=problem)
            )
        return _read(tree, path.as_posix(), commit)


def _read(tree: Path, path: str, commit: str) -> CommitFiles:
    source = source_of_file(PromoteRequest(path=path), tree)
    blobs: dict[str, bytes] = {}

    def keep(data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        blobs[name] = data
        return name

    parent = PurePosixPath(path).parent.as_posix()
    folder = "" if parent == "." else parent
    frozen = collect(
        tree,
        dict.fromkeys(notebook_path(folder, step.notebook) for step in source.definition.steps.values()),
        keep,
        patterns=source.definition.frozen,
        folder=folder,
    )
    contents = {name: blobs[digest] for name, digest in frozen.files.items()}
    return CommitFiles(commit, path, {path: source.file.read_bytes(), **contents}, frozen.warnings)
