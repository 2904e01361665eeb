"""What the names in Python source stand for, judged by its imports and plain assignments."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

# a name may be bound more than once, and static analysis cannot tell which binding applies
Bindings: TypeAlias = dict[str, set[str]]
_BUILTINS = frozenset(dir(builtins)) | {"exit", "quit"}


def dotted(node: ast.expr) -> str:
    """``a.b.c`` as written; ``?.c`` if it starts with something other than a name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    parts.append(node.id if isinstance(node, ast.Name) else "?")
    return ".".join(reversed(parts))


def bindings(trees: Iterable[ast.AST]) -> Bindings:
    """All that each name may stand for, by the whole source: ``o`` for ``os``, ``env`` for ``os.environ``."""
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
    """All that a dotted name may stand for, by its first part; unknown names get the prefix ``?.``."""
    first, dot, rest = text.partition(".")
    if first in known:
        return {origin + dot + rest for origin in known[first]}
    return {text if first in _BUILTINS or first == "?" else f"?.{text}"}


def uses(tree: ast.AST, known: Bindings) -> Iterator[str]:
    """Every dotted name that source reads, sets or deletes, resolved to its origin."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Attribute | ast.Name):
            yield from sorted(origins(dotted(node), known))
            while isinstance(node, ast.Attribute):
                node = node.value
            if isinstance(node, ast.Name):
                continue
            waiting.append(node)
        else:
            waiting.extend(reversed(list(ast.iter_child_nodes(node))))


def taken(tree: ast.AST) -> Iterator[str]:
    """Every dotted name that source imports from a module; ``*`` stays as it is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{name.name}" for name in node.names)


@dataclass(frozen=True)
class Watch:
    """Names to look out for.

    Attributes:
        modules: by name, which of their attributes are allowed; passing the module itself on is not.
        reached: modules that are also recognised as attributes of others (``shutil.os``).
        anywhere: names that are recognised as attributes of anything.
        exactly: complete dotted names.
    """

    modules: Mapping[str, frozenset[str]] = field(default_factory=dict)
    reached: frozenset[str] = frozenset()
    anywhere: frozenset[str] = frozenset()
    exactly: frozenset[str] = frozenset()

    def catches(self, name: str) -> bool:
        """Whether a dotted name is one of these."""
        parts = name.split(".")
        if name in self.exactly or not self.anywhere.isdisjoint(parts):
            return True
        starts = [place for place, part in enumerate(parts) if place == 0 or part in self.reached]
        return any(self._catches_module(parts[start:]) for start in starts)

    def _catches_module(self, parts: list[str]) -> bool:
        for end in range(len(parts), 0, -1):
            allowed = self.modules.get(".".join(parts[:end]))
            if allowed is not None:
                return end == len(parts) or parts[end] not in allowed
        return False


def words(text: str) -> frozenset[str]:
    """The names in a text, for tables."""
    return frozenset(text.split())


def wholly(modules: str) -> dict[str, frozenset[str]]:
    """For :attr:`Watch.modules`: modules of which nothing is allowed, by their names in a text."""
    return dict.fromkeys(modules.split(), frozenset())


# what neither reads nor changes the state of the interpreter
OF_OS = words(
    "path sep linesep curdir pardir name cpu_count getcwd getenv uname listdir scandir walk mkdir makedirs remove "
    "unlink rmdir rename replace stat access PathLike fspath fsdecode fsencode"
)
OF_SYS = words(
    "version version_info executable platform stdout stderr maxsize float_info byteorder getsizeof prefix base_prefix "
    "implementation hexversion getrecursionlimit setrecursionlimit"
)
OF_IMPORTLIB = {"importlib": words("metadata resources"), "importlib.util": words("find_spec")}
