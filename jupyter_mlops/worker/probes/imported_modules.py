"""Lists the project modules that a notebook has imported. Sent to the kernel: standard library only."""

from __future__ import annotations

import json
import os
import sys
from itertools import takewhile
from types import ModuleType


def read_loaded(roots: list[str], until: str) -> str:
    """Files of the modules imported from below some folders, as JSON, without installed packages.

    Args:
        roots: the folders, each with a trailing separator.
        until: name of the last module that was loaded before the fork. Touching earlier modules would copy their
            memory in a forked process.
    """
    try:
        names = list(takewhile(lambda name: name != until, reversed(sys.modules)))
    except RuntimeError:  # another thread imports something
        names = list(sys.modules)
    installed = tuple(
        os.path.join(folder, "") for folder in {os.path.dirname(os.__file__), sys.prefix, sys.base_prefix}
    )
    inside, found = tuple(roots), set()
    for name in names:
        module = sys.modules.get(name)
        if not issubclass(type(module), ModuleType):
            continue  # a lazy module, which any access may load
        file = ModuleType.__getattribute__(module, "__dict__").get("__file__")
        if not isinstance(file, str) or not file.startswith(inside):
            continue
        root = max((root for root in inside if file.startswith(root)), key=len)
        packages = "site-packages" in file[len(root) :] or "dist-packages" in file[len(root) :]
        if packages or any(file.startswith(folder) and len(folder) > len(root) for folder in installed):
            continue
        found.add(file)
    return json.dumps(sorted(found))
