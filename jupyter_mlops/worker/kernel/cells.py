"""Executes a notebook's cells with nbclient."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode, ValidationError
from nbformat.v4 import output_from_msg

from ...core.messages import Message
from ..failures import CellFailedError
from ..hiding import NOTHING, Hiding
from ..outputs import OutputKeeper, new_output
from .client import OutputChannel
from .launch import Kernel

_OUTPUT_TIMEOUT = 60  # s to wait for output after the reply
_KNOWN_OF_OUTPUTS = ("widget_state", "widget_buffers", "_display_id_map", "code_cells_executed")
_WHOLE = ("display_data", "execute_result", "update_display_data", "error")
_SHOWN = ("data", "metadata", "ename", "evalue", "traceback")
_SKIPPED = "skip-execution"  # nbclient's tag
_LAST_OUTPUT = 0.1  # s to wait for the last output of a dead kernel


class NotebookExitError(Exception):
    """The notebook ended its kernel, for example with ``exit`` in IPython."""


def will_run(cell: NotebookNode) -> bool:
    """Whether the cell is code to execute."""
    skipped = _SKIPPED in cell.metadata.get("tags", [])
    return cell.cell_type == "code" and bool(cell.source.strip()) and not skipped


class CellClient(NotebookClient):
    """nbclient with a limit on output, hidden secrets and immediate detection of dead kernels.

    Args:
        nb: the notebook that receives the outputs.
        kernel: ready; the caller ends it.
        keeper: collects the outputs.
        touched: called whenever an output changes.
        hiding: removes secrets.

    Attributes:
        remarks: warnings about dropped outputs.
    """

    def __init__(
        self,
        nb: NotebookNode,
        kernel: Kernel,
        keeper: OutputKeeper,
        touched: Callable[[], None],
        hiding: Hiding = NOTHING,
    ) -> None:
        super().__init__(nb, km=kernel.manager, iopub_timeout=_OUTPUT_TIMEOUT)
        self.kc = kernel.client
        kernel.client.allow_stdin = False
        self.kernel = kernel
        self._limit_output(keeper)
        self.keeper = keeper
        self.touched = touched
        self.hiding = hiding
        self.remarks: list[Message] = []
        self._running: NotebookNode | None = None

    async def run_cell(self, cell: NotebookNode, index: int, store_history: bool = True) -> None:
        """Execute one cell.

        Args:
            store_history: whether the kernel counts and remembers it.

        Raises:
            CellFailedError: it raised and is not tagged ``raises-exception``.
            NotebookExitError: it asked the kernel to end.
            DeadKernelError: the kernel ended.
        """
        self.keeper.start_cell()
        self._running = cell
        try:
            await self.async_execute_cell(cell, index, store_history=store_history)
        finally:
            self.gather()
            self.touched()

    def gather(self) -> None:
        """Join what the running cell has printed so far."""
        if self._running is not None:
            self.keeper.join(self._running.outputs)

    def outputs_known(self) -> dict[str, Any]:
        """This client's state of widgets and updatable displays."""
        return deepcopy({name: getattr(self, name) for name in _KNOWN_OF_OUTPUTS})

    def take_known(self, known: dict[str, Any]) -> None:
        """Take over the state of the client that executed the shared cells."""
        for name, value in deepcopy(known).items():
            setattr(self, name, value)

    async def _async_poll_kernel_alive(self) -> None:
        while await self.kernel.exit_code() is None:
            await asyncio.sleep(0.1)
        await asyncio.sleep(_LAST_OUTPUT)
        if self.task_poll_for_reply is not None:
            self.task_poll_for_reply.cancel()

    async def _async_check_alive(self) -> None:
        if await self.kernel.exit_code() is not None:
            raise DeadKernelError("Kernel died")

    async def _check_raise_for_error(
        self, cell: NotebookNode, cell_index: int, exec_reply: dict[str, Any] | None
    ) -> None:
        # nbclient's own exception would contain the cell's whole output
        content = exec_reply["content"] if exec_reply else {}
        if any(item.get("source") == "ask_exit" for item in content.get("payload") or ()):
            raise NotebookExitError
        if content.get("status") != "error" or "raises-exception" in cell.metadata.get("tags", []):
            return
        if content.get("ename") == "NoneType":
            # the error was raised while displaying a result; IPython names it only in the output
            content = next((output for output in cell.outputs if output.output_type == "error"), content)
        if self.hiding:
            # before any text is shortened
            lines = "\n".join(content.get("traceback") or [])
            content = {
                "ename": self.hiding.text(content.get("ename") or ""),
                "evalue": self.hiding.text(str(content.get("evalue") or "")),
                "traceback": self.hiding.text(lines).split("\n"),
            }
        raise CellFailedError(
            content.get("ename") or "",
            str(content.get("evalue") or ""),
            content.get("traceback") or [],
        )

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        """Process one message of the running cell."""
        self.touched()
        # streams and widgets come in pieces: the keeper and set_widgets_metadata hide secrets in them
        if self.hiding and msg["msg_type"] in _WHOLE:
            hide = self.hiding.tree
            content = {name: hide(value) if name in _SHOWN else value for name, value in msg["content"].items()}
            msg = {**msg, "content": content}
        try:
            return super().process_message(msg, cell, cell_index)
        except ValidationError as error:
            self._leave_out(cell, error)
            return None

    def _leave_out(self, cell: NotebookNode, error: ValidationError) -> None:
        """Replace a display that the notebook format refuses by a message that says why."""
        place = "".join(f"[{name!r}]" for name in error.path)
        remark = Message(
            "A display was left out, because a notebook cannot hold it: {place} {message}.",
            place=place,
            message=error.message[:200],
        )
        self.remarks.append(remark)
        self.keeper.add(cell.outputs, new_output("stream", name="stderr", text=f"[{remark}]\n"))

    def set_widgets_metadata(self) -> None:
        """Store the widgets' final state, without secrets."""
        super().set_widgets_metadata()
        if self.hiding and "widgets" in self.nb.metadata:
            self.nb.metadata["widgets"] = self.hiding.tree(self.nb.metadata["widgets"])

    def clear_output(self, outs: list[NotebookNode], msg: dict[str, Any], cell_index: int) -> None:
        """Clear the cell's outputs."""
        super().clear_output(outs, msg, cell_index)
        if not outs:
            self.keeper.cleared()

    def output(
        self, outs: list[NotebookNode], msg: dict[str, Any], display_id: str | None, cell_index: int
    ) -> NotebookNode | None:
        """Store one output as far as there is room."""
        parent = msg["parent_header"].get("msg_id")
        if self.output_hook_stack[parent] or display_id:
            # nbclient handles widgets and updatable displays; the keeper only counts them
            shown: NotebookNode | None = super().output(outs, msg, display_id, cell_index)
            if shown is not None:
                outs.pop()
                self.keeper.add(outs, shown)
            return shown
        try:
            out: NotebookNode | None = output_from_msg(msg)  # type: ignore[no-untyped-call]
        except ValueError:
            self.log.warning("unknown output message %r", msg["msg_type"])
            return None
        if self.clear_before_next_output:
            outs[:] = []
            self.clear_display_id_mapping(cell_index)
            self.clear_before_next_output = False
            self.keeper.cleared()
        self.keeper.add(outs, out, cut=msg["metadata"].get("cut", False))
        return out

    def _limit_output(self, keeper: OutputKeeper | None) -> None:
        channel = self.kernel.client.iopub_channel
        if isinstance(channel, OutputChannel):
            channel.keeper = keeper

    def take_all_output(self) -> None:
        """Remove the output limit, after the last cell."""
        self._limit_output(None)
