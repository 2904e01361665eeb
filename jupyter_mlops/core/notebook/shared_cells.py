"""The cells at a notebook's beginning that have the same result in every run of a sweep.

They are executed once per slot, and all runs are forked after them. By static analysis they end before the first code
cell that uses a varied parameter, a value computed from one, or anything that cannot be analysed
(:mod:`.side_effects`). Imported modules are not analysed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from ..errors import InvalidInputError
from ..messages import Message
from ..sweeps import PrefixCheck
from .bindings import Bindings, bindings
from .python_source import commands, tree_of
from .reading import Notebook, declared, is_injected, language_of, parameters_cell, source_of, tags_of
from .side_effects import names_in_text, opaque, opaque_command

_LONGEST = 60
# strings in these are not names in the notebook
_WITHOUT_NAMES = ast.Attribute | ast.Constant | ast.keyword | ast.MatchClass | ast.ImportFrom


def shared_prefix(notebook: Notebook, varied: Collection[str]) -> PrefixCheck:
    """Which cells a sweep can execute once per slot.

    Args:
        notebook: as it would be frozen.
        varied: names of the parameters with more than one value.

    Returns:
        ``reason`` numbers the code cells from 1, ``end`` all cells from 0.
    """
    if language_of(notebook) != "python":
        return PrefixCheck(reason=Message("Only Python notebooks can share cells."))
    place = parameters_cell(notebook)
    if place is None:
        return PrefixCheck(
            reason=Message("No cell is tagged “parameters”: values go in at the top, so no cell can be shared.")
        )
    try:
        known = {parameter.name for parameter in declared(notebook)}
    except InvalidInputError as error:
        return PrefixCheck(reason=error.message)
    missing = [name for name in varied if name not in known]
    if missing:
        return PrefixCheck(
            reason=Message(
                "The parameters cell does not assign {missing}, so who uses it cannot be told.", missing=missing[0]
            )
        )
    return _Reader(notebook, place, varied).check()


class _Reader:
    """Finds the first code cell that each run must execute itself."""

    def __init__(self, notebook: Notebook, place: int, varied: Collection[str]) -> None:
        self._cells: list[dict[str, Any]] = notebook["cells"]
        self._place = place
        self._bindings: Bindings = bindings(self._trees())
        # by name, the varied parameter it depends on
        self._tainted = {name: name for name in varied}
        parameters = tree_of(source_of(self._cells[place]))
        if parameters is not None:
            self._taint(parameters)

    def check(self) -> PrefixCheck:
        """Where sharing ends, and why."""
        executed = [index for index, cell in enumerate(self._cells) if _is_executed(cell)]
        for index in executed:
            if reason := self._reason(index):
                said = Message("{cell} {reason}.", cell=self._called(index), reason=reason)
                return self._ending(index, executed, said)
        if not executed:
            return PrefixCheck(reason=Message("The notebook has no code."))
        template = (
            "No cell uses what this sweep varies; the last one is left to each run."
            if self._tainted
            else "This sweep varies nothing; the last one is left to each run."
        )
        return self._ending(executed[-1], executed, Message(template))

    def _ending(self, index: int, executed: list[int], reason: Message) -> PrefixCheck:
        lines = [_first_line(source_of(self._cells[before])) for before in executed if before < index]
        return PrefixCheck(end=index if lines else 0, cells=lines, reason=reason)

    def _called(self, index: int) -> str:
        number = sum(cell.get("cell_type") == "code" for cell in self._cells[: index + 1])
        line = _first_line(source_of(self._cells[index]))
        return Message(
            "Code cell {number} (“{line}”)",
            number=number,
            line=line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…",
        )

    def _trees(self) -> Iterator[ast.Module]:
        for cell in self._cells:
            if cell.get("cell_type") == "code":
                source = source_of(cell)
                parsed = map(tree_of, (source, *(command.python for command in commands(source))))
                yield from (tree for tree in parsed if tree is not None)

    # -- one cell ----------------------------------------------------------------------------

    def _reason(self, index: int) -> Message:
        """Why each run must execute a cell itself, as the end of a sentence; empty if it can be shared."""
        source, tags = source_of(self._cells[index]), tags_of(self._cells[index])
        if "raises-exception" in tags:
            return Message("may fail half-way, by its tag “raises-exception”")
        trees = [tree_of(source)]
        for command in commands(source):
            if wrong := opaque_command(command):
                return wrong
            # IPython replaces `$alpha` and `{alpha}` by values
            if wrong := self._uses(re.findall(r"\w+", command.rest)):
                return wrong
            trees.append(tree_of(command.python))
        for tree in trees:
            if tree is None:
                return Message("is not Python that can be read")
            if index != self._place and (wrong := self._uses((*_identifiers(tree), *names_in_text(tree)))):
                return wrong
            if wrong := opaque(tree, self._bindings):
                return wrong
        return Message()

    def _uses(self, names: Iterable[str]) -> Message:
        for name in names:
            if name in self._tainted:
                origin = self._tainted[name]
                if origin == name:
                    return Message("uses {name}, which this sweep varies", name=name)
                return Message(
                    "uses {name}, which depends on {origin}, which this sweep varies", name=name, origin=origin
                )
        return Message()

    def _taint(self, tree: ast.Module) -> None:
        """Add the names that the parameters cell computes from varied parameters."""
        imported = {name for tree in self._trees() for name in _imported(tree)}
        before = -1
        while before != len(self._tainted):
            before = len(self._tainted)
            for node in tree.body:
                source = next((self._tainted[name] for name in _read(node) if name in self._tainted), None)
                if source is not None:
                    for name in _changed(node):
                        if name not in imported:
                            self._tainted.setdefault(name, source)


def _is_executed(cell: dict[str, Any]) -> bool:
    skipped = "skip-execution" in tags_of(cell) or is_injected(cell)
    return cell.get("cell_type") == "code" and bool(source_of(cell).strip()) and not skipped


def _first_line(source: str) -> str:
    return next((line.strip() for line in source.split("\n") if line.strip()), "")


def _identifiers(tree: ast.AST) -> Iterator[str]:
    """Every name that source reads, sets, deletes, declares or imports, in any scope."""
    for node in ast.walk(tree):
        if isinstance(node, ast.alias):
            yield node.asname or node.name.partition(".")[0]
        elif not isinstance(node, _WITHOUT_NAMES):
            for field, value in ast.iter_fields(node):
                if field != "type_comment":
                    yield from (
                        part for part in (value if isinstance(value, list) else [value]) if isinstance(part, str)
                    )


def _imported(tree: ast.AST) -> Iterator[str]:
    return (node.asname or node.name.partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.alias))


def _read(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def _changed(tree: ast.AST) -> Iterator[str]:
    """Names that a statement sets, and objects that it changes or whose methods it calls."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Call(func=ast.Attribute() as held):
                yield _base(held)
            case ast.Subscript(ctx=ast.Store()) | ast.Attribute(ctx=ast.Store()):
                yield _base(node)


def _base(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
