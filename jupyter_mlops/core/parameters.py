"""Records of a notebook and its parameters."""

from __future__ import annotations

from typing import Any, Literal

from .messages import Message
from .record import Record, no_message
from .sweeps import SweepRequest

ParameterType = Literal["int", "float", "bool", "str", "none", "list", "dict", "choice", "any"]


class Parameter(Record, frozen=True, kw_only=True):
    """One parameter that a notebook declares.

    Attributes:
        name: its name in the notebook's language.
        type: of its values; ``any`` if neither annotation nor default tells.
        default: the default as a JSON value, None if it is not a literal.
        default_text: the default as written in the notebook.
        optional: whether None is accepted besides ``type`` (``X | None``).
        choices: the values that a ``Literal`` allows.
        help: the comment at the end of the assignment, or the comment lines above it.
    """

    name: str
    type: ParameterType = "any"
    default: Any = None
    default_text: str = ""
    optional: bool = False
    choices: list[Any] | None = None
    help: str = ""

    @property
    def is_literal(self) -> bool:
        """Whether the default is a literal, rather than an expression that each run evaluates."""
        return self.default is not None or self.default_text == "None"


class NotebookInfo(Record, frozen=True, kw_only=True):
    """What is known about a notebook without running it.

    Attributes:
        path: relative to the server's root.
        hash: sha256 of its cell sources, without outputs and metadata.
        kernel: name of its kernelspec.
        kernel_problem: why that kernel cannot be used, empty if it can.
        language: of the kernel, in lower case.
        cells: number of code cells.
        parameters: declared in the cell tagged ``parameters``.
        parameters_cell: index of that cell, None if no cell is tagged.
        parameters_cells: indices of the cells that could be tagged, most likely first.
        problem: one sentence on why its parameters are unknown, empty if they are known.
        open_names: whether undeclared names are accepted, because its language cannot be analysed.
        metrics: names of metrics of its earlier sweeps, newest first, then of variables that look like metrics.
        run_seconds: average duration of a run in its last sweep, None if there was none.
        draft: the form as last edited or started.
        saved: the form stored in the notebook's metadata.
    """

    path: str
    hash: str
    kernel: str
    kernel_problem: Message = no_message()
    language: str = ""
    cells: int = 0
    parameters: list[Parameter] = []
    parameters_cell: int | None = None
    parameters_cells: list[int] = []
    problem: Message = no_message()
    open_names: bool = False
    metrics: list[str] = []
    run_seconds: float | None = None
    draft: SweepRequest | None = None
    saved: SweepRequest | None = None
