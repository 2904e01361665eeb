"""Everything that follows from a pipeline's definition alone: order, references, conditions, what is wrong with it."""

from __future__ import annotations

from .conditions import Condition, evaluate
from .pipeline_order import edges, layers, order
from .pipeline_problems import problems_of
from .pipelines import GraphStep, PipelineDefinition
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
