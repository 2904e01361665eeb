"""What is installed now, beside what was when a version was promoted."""

from __future__ import annotations

import hashlib

from ...core.pipelines.records import Version
from ...environments import packages_of_late
from ...store import Store
from .environment import drift, sentence


class Environments:
    """Looks at kernels' environments, not more often than now and then. Safe to use from any thread.

    Args:
        store: that keeps the lists of versions.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def drift(self, version: Version) -> str:
        """What differs from a version's lock in one sentence, empty where nothing does."""
        said = []
        for kernel, locked in version.lock.items():
            found = packages_of_late(kernel)
            if found is None:
                said.append(f"the kernel {kernel} is not there any more")
            elif hashlib.sha256(found[0].encode()).hexdigest() != locked:
                said.append(sentence(drift(self.store.blob(locked).decode(), found[0])))
        return "; ".join(filter(None, said))
