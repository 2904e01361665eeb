"""Checking a pipeline's text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain, islice

import msgspec

from .definition import PipelineCheck, PipelineDefinition, Problem
from .order import edges, find_cycle, graph
from .problems import problems_of
from .references import Path
from .type_checker import TypeChecker
from .yaml_reader import Document, read

MAX_PROBLEMS = 100


def check_text(
    text: str, more_problems: Callable[[PipelineDefinition], Iterable[tuple[Path, str]]] | None = None
) -> PipelineCheck:
    """Parse and check a pipeline's text; problems are returned, not raised.

    The result has a definition if all types are right, and a graph if the steps also form no cycle.

    Args:
        more_problems: finds further problems of a definition, such as missing notebooks, with their paths.
    """
    document = read(text)
    if not document.readable:
        return PipelineCheck(problems=_sorted(document))
    if document.value is None:
        document.complain("There is nothing here yet: a pipeline has steps, each with a notebook.", (1, 1))
        return PipelineCheck(problems=_sorted(document))
    checker = TypeChecker(document.written)
    value = checker.check(document.value, PipelineDefinition)
    for path, sentence, of_key in checker.problems:
        document.complain(sentence, document.keys.get(path, document.place(path)) if of_key else document.place(path))
    if checker.problems:
        return PipelineCheck(problems=_sorted(document))
    definition = msgspec.convert(value, PipelineDefinition)
    found = chain(problems_of(definition, MAX_PROBLEMS), more_problems(definition) if more_problems else ())
    for path, sentence in islice(found, MAX_PROBLEMS):
        document.complain(sentence, document.place(path))
    drawn = [] if find_cycle(edges(definition)) else graph(definition)
    return PipelineCheck(problems=_sorted(document), definition=definition, graph=drawn)


def _sorted(document: Document) -> list[Problem]:
    ordered = sorted(document.problems, key=lambda problem: (problem.line, problem.column))
    return ordered[:MAX_PROBLEMS]
