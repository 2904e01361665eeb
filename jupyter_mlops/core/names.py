"""What the names in Python source stand for, as far as its imports and plain assignments tell."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import TypeAlias

# a name may be bound more than once, and who reads source cannot tell which it is at the time
Bindings: TypeAlias = dict[str, set[str]]


def dotted(node: ast.expr) -> str:
    """``a.b.c`` as written; ``?.c`` where what stands before is no name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    parts.append(node.id if isinstance(node, ast.Name) else "?")
    return ".".join(reversed(parts))


def bindings(trees: Iterable[ast.AST]) -> Bindings:
    """What each name may stand for: ``o`` for ``os``, ``env`` for ``os.environ``, wherever that is said."""
    found: Bindings = {}
    renamed: list[tuple[str, str]] = []
    for node in (node for tree in trees for node in ast.walk(tree)):
        match node:
            case ast.Import():
                for name in node.names:
                    target, origin = (name.asname, name.name) if name.asname else (name.name.split(".")[0],) * 2
                    found.setdefault(target, set()).add(origin)
            case ast.ImportFrom(level=0):
                for name in node.names:
                    found.setdefault(name.asname or name.name, set()).add(f"{node.module}.{name.name}")
            case ast.Assign(targets=[ast.Name(id=target)], value=ast.Name() | ast.Attribute() as value):
                renamed.append((target, dotted(value)))
            case ast.NamedExpr(target=ast.Name(id=target), value=ast.Name() | ast.Attribute() as value):
                renamed.append((target, dotted(value)))
    for target, text in renamed:
        found.setdefault(target, set()).update(origins(text, found))
    return found


def origins(text: str, known: Bindings) -> set[str]:
    """A dotted name with its first part replaced by all that it may stand for."""
    first, dot, rest = text.partition(".")
    return {origin + dot + rest for origin in known.get(first, ())} or {text}


def mentions(tree: ast.AST, known: Bindings) -> Iterator[str]:
    """Every dotted name that source uses anywhere, from its origin: read, set, deleted or taken from a module."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        children = list(ast.iter_child_nodes(node))
        match node:
            case ast.Attribute() | ast.Name():
                yield from sorted(origins(dotted(node), known))
                while isinstance(node, ast.Attribute):
                    node = node.value
                children = [] if isinstance(node, ast.Name) else [node]
            case ast.ImportFrom(level=0):
                yield from (f"{node.module}.{name.name}" for name in node.names)
        waiting.extend(reversed(children))
