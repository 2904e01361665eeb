"""Everything that follows from a pipeline's definition alone: order, references, conditions, what is wrong with it."""

from __future__ import annotations

from .conditions import Condition, evaluate
from .definition import GraphStep, PipelineDefinition
from .order import edges, layers, order
from .problems import problems_of
from .references import Reference, find_references, look_up, resolve, resolve_text

__all__ = [
    "Condition",
    "Reference",
    "edges",
    "evaluate",
    "find_references",
    "graph",
    "layers",
    "look_up",
    "order",
    "problems_of",
    "resolve",
    "resolve_text",
]


def graph(definition: PipelineDefinition) -> list[GraphStep]:
    """The steps as a graph draws them, in the file's order.

    Raises:
        InvalidInputError: steps wait for each other.
    """
    by_layer = layers(definition)
    waits = edges(definition)
    return [
        GraphStep(
            name=name,
            notebook=step.notebook,
            sweep=step.sweep is not None,
            after=waits[name],
            when=step.when,
            run_if=step.run_if,
            layer=by_layer[name],
        )
        for name, step in definition.steps.items()
    ]
