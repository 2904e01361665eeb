"""Dependencies between a pipeline's steps, and the order they run in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter

from ..errors import InvalidInputError
from ..messages import Message
from .conditions import Condition
from .definition import GraphStep, PipelineDefinition, Step
from .references import Path, Reference, find_references, texts


def referring_texts(step: Step) -> Iterator[tuple[Path, str]]:
    """Every text of a step that may hold references, with its path; the condition is not included."""
    yield from texts(step.parameters, ("parameters",))
    if step.sweep is not None:
        yield from texts(step.sweep.space, ("sweep", "space"))
    yield from texts(step.env, ("env",))


def references_of(step: Step) -> list[Reference]:
    """All references of a step and its condition, without duplicates; malformed ones are skipped."""
    found: list[Reference] = []
    # problems_of reports malformed ones
    for _, text in referring_texts(step):
        with suppress(InvalidInputError):
            found += find_references(text)
    if step.when:
        with suppress(InvalidInputError):
            found += Condition(step.when).references
    return list(dict.fromkeys(found))


def edges(definition: PipelineDefinition) -> dict[str, list[str]]:
    """By step, the existing steps it waits for: named in ``after``, referred to, or used in its condition."""
    waits: dict[str, list[str]] = {}
    for name, step in definition.steps.items():
        sources = [*step.after, *(reference.step for reference in references_of(step))]
        waits[name] = [source for source in dict.fromkeys(sources) if source in definition.steps]
    return waits


def ancestors(name: str, waits: Mapping[str, list[str]]) -> list[str]:
    """All direct and indirect dependencies of a step, the nearest first."""
    found = dict.fromkeys(waits[name])
    todo = list(found)
    for other in todo:
        todo += [source for source in waits[other] if source not in found]
        found.update(dict.fromkeys(waits[other]))
    return list(found)


def find_cycle(waits: dict[str, list[str]]) -> list[str]:
    """Steps that wait for each other, in running order, the first repeated at the end; empty without a cycle."""
    try:
        TopologicalSorter(waits).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def layers(definition: PipelineDefinition) -> dict[str, int]:
    """By step, 0 if it waits for nothing, else one more than the highest layer it waits for.

    Raises:
        InvalidInputError: the steps form a cycle.
    """
    waits = edges(definition)
    if cycle := find_cycle(waits):
        raise InvalidInputError(cycle_sentence(cycle))
    found: dict[str, int] = {}
    for name in TopologicalSorter(waits).static_order():
        found[name] = max((found[source] + 1 for source in waits[name]), default=0)
    return {name: found[name] for name in waits}


def graph(definition: PipelineDefinition) -> list[GraphStep]:
    """The steps as a graph draws them, in the file's order.

    Raises:
        InvalidInputError: the steps form a cycle.
    """
    by_layer = layers(definition)
    waits = edges(definition)
    return [
        GraphStep(
            name=name,
            notebook=step.notebook,
            sweep=step.sweep is not None,
            outputs=[*step.outputs, *step.files],
            after=waits[name],
            when=step.when,
            run_if=step.run_if,
            layer=by_layer[name],
        )
        for name, step in definition.steps.items()
    ]


def order(definition: PipelineDefinition) -> list[str]:
    """Steps in topological order, ties in the file's order.

    Raises:
        InvalidInputError: the steps form a cycle.
    """
    by_layer = layers(definition)
    return sorted(by_layer, key=by_layer.__getitem__)


def cycle_sentence(cycle: list[str]) -> Message:
    """The error message for what :func:`find_cycle` found."""
    if len(cycle) == 2:
        return Message("Step “{step}” waits for itself.", step=cycle[0])
    return Message("These steps wait for each other: {cycle}.", cycle=" → ".join(cycle))
