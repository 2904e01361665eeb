"""papermill's record of an execution, saved efficiently."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from nbformat import NotebookNode
from papermill.engines import NotebookExecutionManager

from ..attempt_files import write_atomically

_SAVE_INTERVAL = 0.5  # s between two saves of a notebook that is being executed
_SAVE_SHARE = 10  # at least this multiple of a save's duration lies between two saves


def _encoded(nb: NotebookNode) -> bytes:
    """Encode a notebook. json's own indenting would take ten times as long as everything else."""
    text = json.dumps(nb, ensure_ascii=False)
    try:
        return msgspec.json.format(text.encode("utf-8", "replace"), indent=1)
    except msgspec.DecodeError:
        # NaN in an output: no valid JSON, but Jupyter reads and writes it
        return json.dumps(nb, indent=1, ensure_ascii=False).encode("utf-8", "replace")


class Recorder(NotebookExecutionManager):
    """papermill's record of an execution: saves are rate-limited, and cells that never ran stay ``pending``."""

    def __init__(self, nb: NotebookNode, output_path: str) -> None:
        self._next_save = 0.0
        self._dirty = False
        self.gather: Callable[[], None] = lambda: None  # called before each save
        super().__init__(nb, output_path=output_path, progress_bar=False, autosave_cell_every=0)

    def touched(self) -> None:
        """Note that the notebook has changed."""
        self._dirty = True

    def save(self, **kwargs: Any) -> None:
        """Save the notebook now or, within the rate limit, with a later :meth:`save_if_due`."""
        self._dirty = True
        self.save_if_due()

    def save_if_due(self) -> None:
        """Save a changed notebook if the last save is long enough ago."""
        if self._dirty and time.monotonic() >= self._next_save:
            self.save_now()

    def save_now(self) -> None:
        """Save the notebook."""
        began = time.monotonic()
        self.gather()
        write_atomically(Path(self.output_path), _encoded(self.nb))
        self._dirty = False
        ended = time.monotonic()
        self._next_save = ended + max(_SAVE_INTERVAL, _SAVE_SHARE * (ended - began))

    def notebook_complete(self, **kwargs: Any) -> None:
        """Record the end. Cells that were not executed stay ``pending``."""
        self.end_time = self.now()
        self.nb.metadata.papermill["end_time"] = self.end_time.isoformat()
        self.nb.metadata.papermill["duration"] = (self.end_time - self.start_time).total_seconds()
        self.save_now()


# it warns about notebooks without a parameters cell
logging.getLogger("papermill").setLevel(logging.ERROR)
