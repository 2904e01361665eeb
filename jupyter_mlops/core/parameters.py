"""Records of a notebook's parameters."""

from __future__ import annotations

from typing import Any, Literal

from .record import Record
from .sweeps import SweepRequest

ParameterType = Literal["int", "float", "bool", "str", "none", "list", "dict", "choice", "any"]


class Parameter(Record, frozen=True, kw_only=True):
    """One parameter that a notebook declares.

    Attributes:
        name: its name in the notebook's language.
        type: what its values are; ``any`` where neither annotation nor default tells.
        default: the literal default as JSON, None where it is not a literal.
        default_text: the default as the notebook writes it, to show a person.
        optional: whether None is accepted beside ``type`` (``X | None``).
        choices: the values a ``Literal`` allows.
        help: the comment behind the assignment, or the comment lines above it.
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
        """Whether ``default`` is the default, and not an expression that is evaluated anew in each run."""
        return self.default is not None or self.default_text == "None"


class NotebookInfo(Record, frozen=True, kw_only=True):
    """What is known of one notebook before anything runs.

    Attributes:
        path: relative to the server's root.
        hash: sha256 over its cell sources alone, so that outputs and metadata do not change it.
        kernel: kernelspec name the notebook asks for.
        kernel_problem: why that kernel cannot be used, empty where it can.
        language: of the kernel, lower case.
        cells: how many code cells it has.
        parameters: declared in the cell tagged ``parameters``.
        parameters_cell: index of that cell, None where no cell is tagged.
        parameters_cells: indices of the cells that could be tagged, the likeliest first.
        problem: one sentence on why no parameters are known, empty where they are.
        open_names: whether names that are not declared are accepted (languages that cannot be read).
        metrics: metric names seen in earlier sweeps of this notebook, newest first, then variables of the
            notebook that look like metrics.
        run_seconds: how long a run of it took in its last sweep, None where it was never swept.
        draft: the form as it was last left or started.
        saved: the form that the notebook's own metadata carries.
    """

    path: str
    hash: str
    kernel: str
    kernel_problem: str = ""
    language: str = ""
    cells: int = 0
    parameters: list[Parameter] = []
    parameters_cell: int | None = None
    parameters_cells: list[int] = []
    problem: str = ""
    open_names: bool = False
    metrics: list[str] = []
    run_seconds: float | None = None
    draft: SweepRequest | None = None
    saved: SweepRequest | None = None
