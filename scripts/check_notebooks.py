"""Fails for a notebook that is committed with outputs or execution counts.

``python scripts/check_notebooks.py NOTEBOOK...``; without arguments all of ``examples``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(names: list[str]) -> int:
    """Name each notebook that was run before it was saved."""
    paths = [Path(name) for name in names] or sorted(Path("examples").rglob("*.ipynb"))
    ran = [
        path
        for path in paths
        if ".ipynb_checkpoints" not in path.parts
        and any(
            cell.get("outputs") or cell.get("execution_count") is not None
            for cell in json.loads(path.read_text())["cells"]
        )
    ]
    for path in ran:
        print(f"{path}: clear all outputs before committing it", file=sys.stderr)
    return 1 if ran else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
