"""Which steps of a pipeline wait for which, and so in what order they run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from ..errors import InvalidInputError
from ..messages import Message
from .conditions import Condition
from .definition import PipelineDefinition, Step
from .references import Path, Reference, find_references, texts


def referring_texts(step: Step) -> Iterator[tuple[Path, str]]:
    """Every text of a step in which references have a meaning, with its place; its condition is not among them."""
    yield from texts(step.parameters, ("parameters",))
    if step.sweep is not None:
        yield from texts(step.sweep.space, ("sweep", "space"))
    yield from texts(step.env, ("env",))


def references_of(step: Step) -> list[Reference]:
    """All that a step refers to, its condition included, without doubles; what is no reference is passed over."""
    found: list[Reference] = []
    # what cannot be read is said by problems_of, with its place
    for _, text in referring_texts(step):
        with suppress(InvalidInputError):
            found += find_references(text)
    if step.when:
        with suppress(InvalidInputError):
            found += Condition(step.when).references
    return list(dict.fromkeys(found))


def edges(definition: PipelineDefinition) -> dict[str, list[str]]:
    """By step, the steps it waits for: named in ``after``, referred to, or asked for in its condition.

    Steps that do not exist are left out.
    """
    waits: dict[str, list[str]] = {}
    for name, step in definition.steps.items():
        sources = [*step.after, *(reference.step for reference in references_of(step))]
        waits[name] = [source for source in dict.fromkeys(sources) if source in definition.steps]
    return waits


def find_cycle(waits: dict[str, list[str]]) -> list[str]:
    """Steps that wait for each other in a circle, the first one again at the end; empty where none do."""
    done: set[str] = set()
    for start in waits:
        # the way from `start`, each with what it still has to visit
        way: dict[str, Iterator[str]] = {}
        step: str | None = start if start not in done else None
        while step is not None:
            way[step] = iter(waits[step])
            step = None
            while way and step is None:
                last = next(reversed(way))
                step = next((source for source in way[last] if source not in done), None)
                if step in way:
                    names = list(way)
                    circle = names[names.index(step) :]
                    # in the order in which they would run
                    return [circle[0], *reversed(circle)]
                if step is None:
                    done.add(last)
                    del way[last]
    return []


def layers(definition: PipelineDefinition) -> dict[str, int]:
    """By step, 0 for those that wait for nothing, else one more than the last it waits for.

    Raises:
        InvalidInputError: steps wait for each other.
    """
    waits = edges(definition)
    circle = find_cycle(waits)
    if circle:
        raise InvalidInputError(Message.verbatim(cycle_sentence(circle)))
    followers: dict[str, list[str]] = {name: [] for name in waits}
    for name, sources in waits.items():
        for source in sources:
            followers[source].append(name)
    missing = {name: len(sources) for name, sources in waits.items()}
    found = {name: 0 for name, count in missing.items() if not count}
    ready = list(found)
    while ready:
        following: list[str] = []
        for source in ready:
            for name in followers[source]:
                found[name] = max(found.get(name, 0), found[source] + 1)
                missing[name] -= 1
                if not missing[name]:
                    following.append(name)
        ready = following
    return {name: found[name] for name in waits}


def order(definition: PipelineDefinition) -> list[str]:
    """Steps so that each comes after all it waits for; in the file's order where that leaves a choice.

    Raises:
        InvalidInputError: steps wait for each other.
    """
    by_layer = layers(definition)
    return sorted(by_layer, key=by_layer.__getitem__)


def cycle_sentence(circle: list[str]) -> str:
    """What is wrong with a circle."""
    if len(circle) == 2:
        return f"Step “{circle[0]}” waits for itself."
    return f"These steps wait for each other: {' → '.join(circle)}."
