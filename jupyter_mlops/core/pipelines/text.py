"""Checking a pipeline's text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain, islice

import msgspec

from ..messages import Message
from .definition import PipelineCheck, PipelineDefinition, Problem
from .order import edges, find_cycle, graph
from .problems import problems_of
from .references import Path
from .type_checker import TypeChecker
from .yaml_reader import Document, read

MAX_PROBLEMS = 100
# fields of a step that refer to other steps, or that these refer to
_JOINS = ("sweep", "parameters", "after", "when", "outputs", "files", "env")


def check_text(
    text: str, more_problems: Callable[[PipelineDefinition], Iterable[tuple[Path, Message]]] | None = None
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
        document.complain(Message("There is nothing here yet: a pipeline has steps, each with a notebook."), (1, 1))
        return PipelineCheck(problems=_sorted(document))
    checker = TypeChecker(document.written)
    value = checker.check(document.value, PipelineDefinition)
    for path, sentence, of_key in checker.problems:
        document.complain(sentence, document.keys.get(path, document.place(path)) if of_key else document.place(path))
    definition = msgspec.convert(value, PipelineDefinition)
    found = chain(
        problems_of(definition, MAX_PROBLEMS, _unclear(checker)), more_problems(definition) if more_problems else ()
    )
    for path, sentence in islice(found, MAX_PROBLEMS):
        if not any(path[: len(blank)] == blank for blank in checker.blanks):
            document.complain(sentence, document.place(path))
    if checker.problems:
        return PipelineCheck(problems=_sorted(document))
    drawn = [] if find_cycle(edges(definition)) else graph(definition)
    return PipelineCheck(problems=_sorted(document), definition=definition, graph=drawn)


def _unclear(checker: TypeChecker) -> set[str]:
    """Steps whose outputs and dependencies are unknown because of errors; "" stands for the pipeline's parameters."""
    found = set()
    for path, _, of_key in checker.problems:
        if path[:1] != ("steps",):
            found |= {""} if len(path) == 1 or path[:1] == ("parameters",) else set()
        elif len(path) == 2 or (len(path) > 2 and (of_key or path[2] in _JOINS)):
            found.add(str(path[1]))
    return found


def _sorted(document: Document) -> list[Problem]:
    ordered = sorted(document.problems, key=lambda problem: (problem.line, problem.column))
    return ordered[:MAX_PROBLEMS]
