"""Compares installed packages with those at promotion."""

from __future__ import annotations

import hashlib
import re

from ...core.pipelines.records import Version
from ...environments import recent_packages
from ...store import Store

_ABSENT = "absent"
_MOST_NAMED = 3
_SEPARATORS = re.compile(r"[-_.]+")


def drift(old: str, new: str) -> list[str]:
    """One text ``package old → new`` for each package that differs, Python first.

    Args:
        old: one line ``name==version`` per package, as :func:`jupyter_mlops.environments.packages` lists them.
        new: a later list.
    """
    before, after = _versions(old), _versions(new)
    changed = [name for name in before | after if before.get(name) != after.get(name)]
    changed.sort(key=lambda name: (name != "python", name))
    return [f"{name} {before.get(name, _ABSENT)} → {after.get(name, _ABSENT)}" for name in changed]


def sentence(changes: list[str]) -> str:
    """Summarise changes in one text, empty if there are none."""
    named = ", ".join(changes[:_MOST_NAMED])
    more = len(changes) - _MOST_NAMED
    return f"{named} and {more} more" if more > 0 else named


def _versions(listed: str) -> dict[str, str]:
    """Versions by normalised package name."""
    found: dict[str, list[str]] = {}
    for line in listed.splitlines():
        name, equal, version = line.partition("==")
        if equal:
            found.setdefault(_SEPARATORS.sub("-", name.strip()).lower(), []).append(version.strip())
    # a package may be installed twice
    return {name: ", ".join(sorted(set(versions))) for name, versions in found.items()}


class Environments:
    """Compares kernels' environments with the locks of versions, with a cache. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def drift(self, version: Version) -> str:
        """Differences from a version's lock in one text, empty if there are none."""
        said = []
        for kernel, locked in version.lock.items():
            found = recent_packages(kernel, version.kernelspecs.get(kernel))
            if found is None:
                said.append(f"the kernel {kernel} is not there any more")
            elif hashlib.sha256(found[0].encode()).hexdigest() != locked:
                said.append(sentence(drift(self.store.blobs.get(locked).decode(), found[0])))
        return "; ".join(filter(None, said))
