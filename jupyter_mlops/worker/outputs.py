"""Limits a notebook's output, and collects it efficiently."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output as _untyped_new_output

from ..core.messages import Message

COLOURS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]")


def without_colours(text: str) -> str:
    """Text without terminal escape sequences."""
    return COLOURS.sub("", text)


def size_of_text(text: str) -> int:
    """Bytes of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def size_of_output(output: dict[str, Any]) -> int:
    """Approximate size in bytes of one output in a notebook."""
    if output.get("output_type") == "stream":
        return size_of_text(output["text"])
    if output.get("output_type") == "error":
        return size_of_text("\n".join(output.get("traceback", [])))
    values = output.get("data", {}).values()
    return sum(size_of_text(value if isinstance(value, str) else json.dumps(value)) for value in values)


def new_output(kind: str, **fields: Any) -> NotebookNode:
    """A cell output in the notebook format."""
    output: NotebookNode = _untyped_new_output(kind, **fields)  # type: ignore[no-untyped-call]
    return output


class OutputKeeper:
    """Collects a run's outputs up to a limit.

    Printed pieces are joined once at the end, because joining them one by one takes quadratic time.

    Args:
        limit: bytes for all outputs of a run.
        hide: removes secrets from a list of text pieces; None if there are no secrets.
    """

    def __init__(self, limit: int, hide: Callable[[list[str]], list[str]] | None = None) -> None:
        self.limit = limit
        self.hide = hide
        self.used = 0
        self.cut = False
        self._cell_used = 0
        self._pieces: dict[int, list[str]] = {}
        self._grown = False

    def start_cell(self) -> None:
        """Begin a cell; output that it clears does not count."""
        self._cell_used = 0
        self._pieces.clear()

    def cleared(self) -> None:
        """Note that the cell cleared its outputs."""
        self.used -= self._cell_used
        self.start_cell()

    @property
    def room(self) -> int:
        """Remaining bytes."""
        return self.limit - self.used

    def add(self, outputs: list[NotebookNode], output: NotebookNode, cut: bool = False) -> None:
        """Append an output as far as there is room; ``cut`` means that part of it was dropped already."""
        size = size_of_output(output)
        if output.output_type != "error" and (cut or self.used + size > self.limit):
            self._cut(outputs, output)
            return
        self.used += size
        self._cell_used += size
        last = outputs[-1] if outputs else None
        if output.output_type == "stream" and last is not None and last.get("name") == output.name:
            self._pieces.setdefault(id(last), [last["text"]]).append(output.text)
            self._grown = True
        else:
            self._append(outputs, output)

    def _append(self, outputs: list[NotebookNode], output: NotebookNode) -> None:
        outputs.append(output)
        if self.hide is not None and output.output_type == "stream":
            # invisible until it is joined, without secrets
            self._pieces[id(output)] = [output.text]
            self._grown = True
            output["text"] = ""

    def _cut(self, outputs: list[NotebookNode], output: NotebookNode) -> None:
        if self.cut:
            return
        self.cut = True
        if output.output_type == "stream":
            text = output.text.encode("utf-8", "replace")[: max(0, self.limit - self.used)]
            self._append(outputs, new_output("stream", name=output.name, text=text.decode("utf-8", "ignore")))
        self.used = self.limit
        outputs.append(new_output("stream", name="stderr", text=f"\n[{self.sentence}]\n"))

    @property
    def sentence(self) -> Message:
        """Warning about dropped output."""
        return Message(
            "Output beyond {limit:,.6g} MB was left out; print less, or raise max_output.", limit=self.limit / 1e6
        )

    def join(self, outputs: list[NotebookNode]) -> None:
        """Join the pieces."""
        if self.hide is not None:
            self._join_hidden(outputs, self.hide)
            return
        for output in outputs:
            pieces = self._pieces.get(id(output))
            if pieces and len(pieces) > 1:
                output["text"] = "".join(pieces)
                self._pieces[id(output)] = [output["text"]]

    def _join_hidden(self, outputs: list[NotebookNode], hide: Callable[[list[str]], list[str]]) -> None:
        """Join without secrets. The raw pieces stay, because the next one may complete a secret."""
        if not self._grown:
            return
        self._grown = False
        for name in {output.name for output in outputs if output.output_type == "stream"}:
            # output of the other stream may separate two parts of one secret
            parts = [output for output in outputs if id(output) in self._pieces and output.name == name]
            texts = ["".join(self._pieces[id(output)]) for output in parts]
            for output, raw, hidden in zip(parts, texts, hide(texts), strict=True):
                output["text"] = hidden
                self._pieces[id(output)] = [raw]
