"""What git knows of a folder. Where there is no git, or the folder is not in it, it knows nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_PATIENCE = 10.0
# set where a hook of git started us; they would name another repository
_MISLEADING = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE")


def commit_of(folder: Path) -> str:
    """Commit of the work tree round a folder, ``+`` behind it where the tree is dirty; empty outside git."""
    commit = _ask(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    return commit + "+" if commit and _ask(folder, "status", "--porcelain") else commit


def top_of(folder: Path) -> Path | None:
    """The work tree round a folder, None outside git."""
    found = _ask(folder, "rev-parse", "--show-toplevel")
    return Path(found) if found else None


def diff_of(folder: Path, limit: int) -> bytes | None:
    """What is different below a folder from its commit; None where that is more than so many bytes.

    New files that git was not told of are not part of it.
    """
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
    """Full id of the commit that a branch, a tag or the beginning of an id names; empty where none does."""
    return _ask(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")


def check_out(folder: Path, commit: str, destination: Path) -> str:
    """Lay out a commit's files below a folder, as a work tree has them; what is wrong, empty where nothing is.

    The repository, its index and its work tree stay as they are.
    """
    index = destination.with_name(destination.name + ".index")
    destination.mkdir(parents=True, exist_ok=True)
    try:
        for arguments in (["read-tree", commit], ["checkout-index", "--all", "--force", f"--prefix={destination}/"]):
            done = subprocess.run(
                ["git", *arguments],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                env=_env() | {"GIT_INDEX_FILE": str(index)},
            )
            if done.returncode:
                return done.stderr.strip().removeprefix("fatal: ") or f"git {arguments[0]} failed"
    finally:
        index.unlink(missing_ok=True)
    return ""


def _ask(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=_PATIENCE,
            check=False,
            env=_env(),
        )
    except (FileNotFoundError, NotADirectoryError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _env() -> dict[str, str]:
    # whatever is only looked at must not take git's lock from a person who commits
    environ = {name: value for name, value in os.environ.items() if name not in _MISLEADING}
    return environ | {"GIT_OPTIONAL_LOCKS": "0"}
