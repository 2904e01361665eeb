"""Files that only their owner may read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def private(path: str, flags: int) -> int:
    """``opener`` of :func:`open`: what it creates can be read by this user alone."""
    return os.open(path, flags, 0o600)


def write_private(path: Path, content: dict[str, Any]) -> None:
    """Write JSON that only this user may read, all at once."""
    beside = path.with_suffix(f".{os.getpid()}.tmp")
    with open(beside, "w", encoding="utf-8", opener=private) as file:
        json.dump(content, file)
    beside.replace(path)
