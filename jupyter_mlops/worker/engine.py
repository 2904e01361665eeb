"""A papermill engine that reports progress, saves as it goes, and caps what it keeps."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty
from typing import Any

import nbformat
from jupyter_core.utils import ensure_async, run_sync
from nbclient.exceptions import CellExecutionError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, NotebookExecutionManager, papermill_engines

ENGINE = "jupyter-mlops"
SAVE_SECONDS = 1.0


class Progress(NotebookExecutionManager):
    """Papermill's bookkeeping, with saves that are atomic and take little of a run's time.

    Args:
        on_cell: called with the number of code cells finished.
    """

    def __init__(self, nb: Any, output_path: str, on_cell: Callable[[int], None]) -> None:
        super().__init__(nb, output_path=output_path, progress_bar=False, autosave_cell_every=0)
        self.on_cell = on_cell
        self.finished = 0
        self.error: CellExecutionError | None = None
        self._saved_at = 0.0
        self._took = 0.0

    def save(self, force: bool = False, **kwargs: Any) -> None:
        """Write the notebook beside its place and move it there; seldom, where it is large."""
        started = time.monotonic()
        if not force and started - self._saved_at < max(SAVE_SECONDS, 20 * self._took):
            return
        path = Path(self.output_path)
        beside = path.with_suffix(".tmp")
        beside.write_text(nbformat.writes(self.nb), encoding="utf-8")
        os.replace(beside, path)
        self._saved_at = time.monotonic()
        self._took = self._saved_at - started

    def cell_exception(self, cell: Any, cell_index: int | None = None, **kwargs: Any) -> None:
        """Remember why the notebook ended."""
        self.error = kwargs.get("exception")
        super().cell_exception(cell, cell_index=cell_index, **kwargs)

    def cell_done(self, cell: Any, index: int, completed: bool) -> None:
        """Close a cell's bookkeeping, honestly: papermill calls every cell completed."""
        if not completed:
            cell.metadata.papermill["status"] = self.FAILED
            cell.metadata.papermill["exception"] = True
            self.nb.metadata.papermill["exception"] = True
        super().cell_complete(cell, cell_index=index)
        if cell.cell_type == "code" and completed:
            self.finished += 1
            self.on_cell(self.finished)

    def notebook_complete(self, **kwargs: Any) -> None:
        """Finish the notebook's metadata; what was never executed stays pending."""
        self.end_time = self.now()
        kept = self.nb.metadata.papermill
        kept["end_time"] = self.end_time.isoformat()
        kept["duration"] = (self.end_time - self.start_time).total_seconds()
        self.save(force=True)


class SweepClient(PapermillNotebookClient):  # type: ignore[misc]
    """Drives one kernel through one notebook.

    Args:
        progress: bookkeeping of the notebook.
        max_output: bytes of output to keep.
        on_kernel: called with the manager once its process is started.
        epilogue: called with this client after the last cell, while the kernel lives.
    """

    def __init__(
        self,
        progress: Progress,
        *,
        max_output: int,
        on_kernel: Callable[[Any], None],
        epilogue: Callable[[SweepClient], None],
        **options: Any,
    ) -> None:
        super().__init__(progress, **options)
        self.progress = progress
        self.room = max_output
        self.cut = False
        self._on_kernel = on_kernel
        self._epilogue = epilogue

    def start_new_kernel(self, **kwargs: Any) -> None:
        """Start the kernel and hand its process on before anything is executed."""
        super().start_new_kernel(**kwargs)
        self._on_kernel(self.km)

    def papermill_execute_cells(self) -> None:
        """Execute the cells up to the first that fails, then read what the kernel holds."""
        for index, cell in enumerate(self.nb.cells):
            self.progress.cell_start(cell, index)
            completed = False
            try:
                self.execute_cell(cell, index)
                completed = True
            except CellExecutionError as error:
                if _left_quietly(error):
                    completed = True
                    return
                self.progress.cell_exception(self.nb.cells[index], cell_index=index, exception=error)
                return
            finally:
                self.progress.cell_done(self.nb.cells[index], index, completed)
        self._epilogue(self)

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Keep output up to the limit; drop what comes after it, and say so once."""
        kind = msg["msg_type"]
        if kind in ("stream", "display_data", "execute_result", "error", "update_display_data"):
            size = _size(msg["content"])
            if kind != "error" and size > self.room:
                if not self.cut:
                    self.cut = True
                    cell.outputs.append(
                        nbformat.v4.new_output(
                            "stream",
                            name="stderr",
                            text="\n[Output beyond the limit of max_output was cut here.]\n",
                        )
                    )
                return None
            self.room -= size
        return super().process_message(msg, cell, cell_index)

    # -- what metrics.Kernel asks for ---------------------------------------------------------

    def evaluate(self, code: str, expressions: dict[str, str]) -> dict[str, Any]:
        """See :class:`metrics.Kernel`."""
        # not silent: ipykernel answers user expressions of silent requests only in newer versions
        message = self.kc.execute(code, silent=False, store_history=False, user_expressions=expressions)
        reply = self.wait_for_reply(message)
        found: dict[str, Any] = (reply or {}).get("content", {}).get("user_expressions", {})
        return found

    def printed(self, code: str) -> str:
        """See :class:`metrics.Kernel`."""
        message = self.kc.execute(code, silent=False, store_history=False)
        self.wait_for_reply(message)
        text = ""
        while True:
            try:
                answer = run_sync(_next_message)(self.kc)
            except Empty:
                return text.strip()
            if answer["parent_header"].get("msg_id") != message:
                continue
            if answer["msg_type"] == "stream" and answer["content"]["name"] == "stdout":
                text += answer["content"]["text"]
            if answer["msg_type"] == "status" and answer["content"]["execution_state"] == "idle":
                return text.strip()


class SweepEngine(Engine):  # type: ignore[misc]
    """The engine as papermill knows it."""

    @classmethod
    def execute_notebook(cls, nb: Any, kernel_name: str, **options: Any) -> Any:
        """Execute ``nb``; ``options`` are those of :class:`SweepClient`, with ``progress`` and ``cwd``."""
        progress: Progress = options.pop("progress")
        progress.notebook_start()
        try:
            cls.execute_managed_notebook(progress, kernel_name, **options)
        finally:
            progress.notebook_complete()
        return progress.nb

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Progress,
        kernel_name: str,
        *,
        cwd: str = ".",
        env: dict[str, str] | None = None,
        **options: Any,
    ) -> None:
        """Execute the cells on a kernel that the caller's manager starts."""
        client = SweepClient(
            nb_man,
            kernel_name=kernel_name,
            resources={"metadata": {"path": cwd}},
            startup_timeout=120,
            iopub_timeout=30,
            raise_on_iopub_timeout=False,
            **options,
        )
        client.execute(env=env)


papermill_engines.register(ENGINE, SweepEngine)


async def _next_message(client: Any) -> dict[str, Any]:
    message: dict[str, Any] = await ensure_async(client.get_iopub_msg(timeout=2))
    return message


def _left_quietly(error: CellExecutionError) -> bool:
    # as papermill has it: leaving with no code or 0 is a way to end early, not a failure
    return error.ename == "SystemExit" and error.evalue in ("", "0", "None")


def _size(content: dict[str, Any]) -> int:
    if "text" in content:
        return len(content["text"])
    return sum(len(value) if isinstance(value, str) else 1000 for value in content.get("data", {}).values())
