"""What git knows about a folder; empty answers without git or outside a repository."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_TIMEOUT = 10.0  # s
# git hooks set these; they would name another repository
_MISLEADING = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE")


def commit_of(folder: Path) -> str:
    """Commit of a folder's work tree, with ``+`` appended if the tree is dirty; empty outside git."""
    commit = _ask(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    return commit + "+" if commit and _ask(folder, "status", "--porcelain") else commit


def top_of(folder: Path) -> Path | None:
    """The folder's work tree, None outside git."""
    found = _ask(folder, "rev-parse", "--show-toplevel")
    return Path(found) if found else None


def diff_of(folder: Path, limit: int) -> bytes | None:
    """Changes below a folder since its commit, without untracked files; None if they exceed ``limit`` bytes."""
    command = ["git", "diff", "HEAD", "--binary", "--no-color", "--no-ext-diff", "--no-textconv", "--", "."]
    try:
        with subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=_env()
        ) as asked:
            assert asked.stdout is not None
            data = asked.stdout.read(limit + 1)
            if len(data) > limit:
                asked.kill()
                return None
        return data if asked.returncode == 0 else b""
    except (FileNotFoundError, NotADirectoryError):
        return b""


def commit_named(folder: Path, revision: str) -> str:
    """Full id of the commit that a branch, tag or abbreviated id names; empty if there is none."""
    return _ask(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")


def check_out(folder: Path, commit: str, destination: Path) -> str:
    """Check out a commit's files below a folder, without touching the repository, its index or its work tree.

    Returns:
        git's complaint, empty on success.
    """
    index = destination.with_name(destination.name + ".index")
    destination.mkdir(parents=True, exist_ok=True)
    try:
        for arguments in (["read-tree", commit], ["checkout-index", "--all", "--force", f"--prefix={destination}/"]):
            done = _run(folder, arguments, errors="replace", env=_env() | {"GIT_INDEX_FILE": str(index)})
            if done.returncode:
                return done.stderr.strip().removeprefix("fatal: ") or f"git {arguments[0]} failed"
    finally:
        index.unlink(missing_ok=True)
    return ""


def _ask(folder: Path, *arguments: str) -> str:
    try:
        done = _run(folder, arguments, errors="surrogateescape", env=_env(), timeout=_TIMEOUT)
    except (FileNotFoundError, NotADirectoryError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _run(folder: Path, arguments: Iterable[str], **options: Any) -> subprocess.CompletedProcess[str]:
    command, nothing = ["git", *arguments], subprocess.DEVNULL
    return subprocess.run(command, cwd=folder, stdin=nothing, capture_output=True, text=True, check=False, **options)


def _env() -> dict[str, str]:
    # reading must not take git's lock from a person who commits
    environ = {name: value for name, value in os.environ.items() if name not in _MISLEADING}
    return environ | {"GIT_OPTIONAL_LOCKS": "0"}
