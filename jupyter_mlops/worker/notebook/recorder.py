"""papermill's record of an execution, with an executed notebook that says what really happened."""

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
_SAVE_SHARE = 10  # a save that takes long is repeated no sooner than this many times its length


def _encoded(nb: NotebookNode) -> bytes:
    """A notebook's file. Indenting in json's own way takes ten times as long as all the rest."""
    text = json.dumps(nb, ensure_ascii=False)
    try:
        return msgspec.json.format(text.encode("utf-8", "replace"), indent=1)
    except msgspec.DecodeError:
        # NaN in a rich output is no JSON, but Jupyter reads and writes it
        return json.dumps(nb, indent=1, ensure_ascii=False).encode("utf-8", "replace")


class Recorder(NotebookExecutionManager):
    """papermill's record of an execution: saved at most so often, and honest about cells that never ran."""

    def __init__(self, nb: NotebookNode, output_path: str) -> None:
        self._next_save = 0.0
        self._dirty = False
        self.gather: Callable[[], None] = lambda: None  # makes what is saved complete
        super().__init__(nb, output_path=output_path, progress_bar=False, autosave_cell_every=0)

    def touched(self) -> None:
        """The notebook has changed."""
        self._dirty = True

    def save(self, **kwargs: Any) -> None:
        """Save the notebook unless that was done a moment ago; :meth:`save_if_due` makes up for it."""
        self._dirty = True
        self.save_if_due()

    def save_if_due(self) -> None:
        """Save what has changed, once some time has passed since the last save."""
        if self._dirty and time.monotonic() >= self._next_save:
            self.save_now()

    def save_now(self) -> None:
        """Replace the executed notebook's file by its present state."""
        began = time.monotonic()
        self.gather()
        write_atomically(Path(self.output_path), _encoded(self.nb))
        self._dirty = False
        ended = time.monotonic()
        self._next_save = ended + max(_SAVE_INTERVAL, _SAVE_SHARE * (ended - began))

    def notebook_complete(self, **kwargs: Any) -> None:
        """Note the end. Cells that were not executed stay ``pending``."""
        self.end_time = self.now()
        self.nb.metadata.papermill["end_time"] = self.end_time.isoformat()
        self.nb.metadata.papermill["duration"] = (self.end_time - self.start_time).total_seconds()
        self.save_now()


# it warns of notebooks without a parameters cell, which are welcome here
logging.getLogger("papermill").setLevel(logging.ERROR)
