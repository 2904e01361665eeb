"""How much output a notebook keeps, and how it is kept cheaply while it comes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output as _untyped_new_output

COLOURS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]")


def without_colours(text: str) -> str:
    """Text without the escape sequences that colour it in a terminal."""
    return COLOURS.sub("", text)


def size_of_text(text: str) -> int:
    """Bytes of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def size_of_output(output: dict[str, Any]) -> int:
    """Bytes that one output adds to a notebook, near enough."""
    if output.get("output_type") == "stream":
        return size_of_text(output["text"])
    if output.get("output_type") == "error":
        return size_of_text("\n".join(output.get("traceback", [])))
    values = output.get("data", {}).values()
    return sum(size_of_text(value if isinstance(value, str) else json.dumps(value)) for value in values)


def new_output(kind: str, **fields: Any) -> NotebookNode:
    """An output of a cell, as the notebook format has it."""
    output: NotebookNode = _untyped_new_output(kind, **fields)  # type: ignore[no-untyped-call]
    return output


class OutputKeeper:
    """Takes a run's outputs in and says when it is enough.

    Text that is printed in many pieces is kept as a list of pieces and joined once, because joining it piece by
    piece takes time that grows with the square of its length.

    Args:
        limit: bytes that all outputs of a run may have.
        hide: takes secrets out of a text that comes in pieces, and may go on; None where there are none.
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
        """A cell begins; what it clears again counts as if it had never been."""
        self._cell_used = 0
        self._pieces.clear()

    def cleared(self) -> None:
        """The cell threw its outputs away."""
        self.used -= self._cell_used
        self.start_cell()

    @property
    def room(self) -> int:
        """Bytes that may still come."""
        return self.limit - self.used

    def add(self, outputs: list[NotebookNode], output: NotebookNode, cut: bool = False) -> None:
        """Append an output, as much of it as there is room for; ``cut`` says that some of it is missing already."""
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
            # nobody sees it before it is joined
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
    def sentence(self) -> str:
        """What a person should know of a cut."""
        return f"Output beyond {self.limit / 1e6:,.6g} MB was left out; print less, or raise max_output."

    def join(self, outputs: list[NotebookNode]) -> None:
        """Make whole texts of the pieces."""
        if self.hide is not None:
            self._join_hidden(outputs, self.hide)
            return
        for output in outputs:
            pieces = self._pieces.get(id(output))
            if pieces and len(pieces) > 1:
                output["text"] = "".join(pieces)
                self._pieces[id(output)] = [output["text"]]

    def _join_hidden(self, outputs: list[NotebookNode], hide: Callable[[list[str]], list[str]]) -> None:
        """The same without secrets. The pieces stay as they came: the next one may go on with a secret."""
        if not self._grown:
            return
        self._grown = False
        for name in {output.name for output in outputs if output.output_type == "stream"}:
            # what is printed to the other stream meanwhile may stand between two parts of one
            parts = [output for output in outputs if id(output) in self._pieces and output.name == name]
            texts = ["".join(self._pieces[id(output)]) for output in parts]
            for output, raw, hidden in zip(parts, texts, hide(texts), strict=True):
                output["text"] = hidden
                self._pieces[id(output)] = [raw]
