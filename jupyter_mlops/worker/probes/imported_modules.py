"""Which modules of a project a notebook has imported. Its text is sent to the kernel: standard library only."""

from __future__ import annotations

import json
import os
import sys
from itertools import takewhile
from types import ModuleType


def read_loaded(roots: list[str], until: str) -> str:
    """Files below some folders that modules were loaded from, as JSON; what is installed there is left out.

    Args:
        roots: of the folders, each with a separator at its end.
        until: name of the last module that was loaded before anything of the notebook was. Looking at those
            before it would copy, in a forked process, the memory that they lie in.
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
            continue  # a stand-in, which may load what it stands for when it is asked for anything
        file = ModuleType.__getattribute__(module, "__dict__").get("__file__")
        if not isinstance(file, str) or not file.startswith(inside):
            continue
        root = max((root for root in inside if file.startswith(root)), key=len)
        packages = "site-packages" in file[len(root) :] or "dist-packages" in file[len(root) :]
        if packages or any(file.startswith(folder) and len(folder) > len(root) for folder in installed):
            continue
        found.add(file)
    return json.dumps(sorted(found))
