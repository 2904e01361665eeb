"""A pipeline's file: what it says, what is wrong with it and where, and how it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain, islice

import msgspec

from .definition import PipelineCheck, PipelineDefinition, Problem
from .editing import add_step, dump
from .graph import graph, problems_of
from .json_types import Fitting
from .order import edges, find_cycle
from .references import Path
from .yaml_reader import Document, read

__all__ = ["MAX_PROBLEMS", "add_step", "check_text", "dump"]

MAX_PROBLEMS = 100


def check_text(
    text: str, look: Callable[[PipelineDefinition], Iterable[tuple[Path, str]]] | None = None
) -> PipelineCheck:
    """What a pipeline's text says, and all that is wrong with it; nothing is raised.

    The definition is given where its types are right, the graph where its steps have an order, too.

    Args:
        look: what else is wrong with a definition, such as notebooks that do not exist, with its place.
    """
    document = read(text)
    if not document.readable:
        return PipelineCheck(problems=_sorted(document))
    if document.value is None:
        document.complain("There is nothing here yet: a pipeline has steps, each with a notebook.", (1, 1))
        return PipelineCheck(problems=_sorted(document))
    fitting = Fitting(document.written)
    value = fitting.fit(document.value, PipelineDefinition)
    for path, sentence, of_key in fitting.problems:
        document.complain(sentence, document.keys.get(path, document.place(path)) if of_key else document.place(path))
    if fitting.problems:
        return PipelineCheck(problems=_sorted(document))
    definition = msgspec.convert(value, PipelineDefinition)
    found = chain(problems_of(definition, MAX_PROBLEMS), look(definition) if look else ())
    for path, sentence in islice(found, MAX_PROBLEMS):
        document.complain(sentence, document.place(path))
    drawn = [] if find_cycle(edges(definition)) else graph(definition)
    return PipelineCheck(problems=_sorted(document), definition=definition, graph=drawn)


def _sorted(document: Document) -> list[Problem]:
    ordered = sorted(document.problems, key=lambda problem: (problem.line, problem.column))
    return ordered[:MAX_PROBLEMS]
