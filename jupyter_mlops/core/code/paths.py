"""Paths in source code, as far as static analysis can tell."""

from __future__ import annotations

import ast
import posixpath
from dataclasses import dataclass

from ..notebook.bindings import dotted

CODE_SUFFIXES = frozenset({".py", ".r", ".jl", ".sql", ".sh", ".bash", ".j2", ".jinja", ".jinja2"})
_LONGEST = 300  # no path that a person writes is longer
_MAKERS = frozenset({"Path", "PosixPath", "PurePath", "PurePosixPath"})
_WHOLE = frozenset({"abspath", "realpath", "resolve", "absolute"})
_SAME = frozenset({"str", "fspath", "as_posix", "expanduser", "normpath", "open_text"})


@dataclass(frozen=True)
class Known:
    """A path in source code.

    Attributes:
        text: as written, relative to the project if ``anchored``, else to the working directory.
        anchored: whether it starts from the source's own file or from the present working directory, so that a later
            change of directory does not matter.
    """

    text: str
    anchored: bool = False

    def joined(self, other: Known) -> Known:
        """Another path below this one."""
        return other if other.anchored else Known(posixpath.join(self.text, other.text), self.anchored)

    @property
    def parent(self) -> Known:
        """The folder that contains it."""
        if self.text in ("", "."):
            return Known("..", self.anchored)
        if posixpath.basename(self.text) == "..":
            return Known(self.text + "/..", self.anchored)
        return Known(posixpath.dirname(self.text) or ".", self.anchored)


def is_code(text: str) -> bool:
    """Whether a text can be the path of a code file."""
    if len(text) > _LONGEST or "\n" in text:
        return False
    return posixpath.splitext(text)[1].lower() in CODE_SUFFIXES


def normal(path: str) -> str:
    """A normalized path; empty for the project itself, starting with ``..`` outside it."""
    found = posixpath.normpath(path)
    return "" if found == "." else found


class Paths:
    """The paths that names and expressions of a source stand for.

    Args:
        own: path of the source file, relative to the project.
        cwd: working directory, relative to the project.
    """

    def __init__(self, own: str, cwd: str) -> None:
        self._own = Known(own, anchored=True)
        self._cwd = Known(cwd or ".", anchored=True)
        self._names: dict[str, Known] = {}

    def assign(self, name: str, node: ast.expr | None) -> None:
        """Note the assignment of an expression to a name; None means an unknown value."""
        found = None if node is None else self.value(node)
        if found is None:
            self._names.pop(name, None)
        else:
            self._names[name] = found

    def value(self, node: ast.expr) -> Known | None:
        """The path or text that an expression stands for, None if that is known only at run time."""
        match node:
            case ast.Constant(value=str(text)):
                return Known(text)
            case ast.Name(id="__file__"):
                return self._own
            case ast.Name(id=name):
                return self._names.get(name)
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return self._joined([left, right])
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._glued([left, right])
            case ast.JoinedStr(values=values):
                return self._glued([v.value if isinstance(v, ast.FormattedValue) else v for v in values])
            case ast.Attribute(value=inner, attr="parent"):
                found = self.value(inner)
                return found and found.parent
            case ast.Subscript(value=ast.Attribute(value=inner, attr="parents"), slice=ast.Constant(value=int(above))):
                found = self.value(inner)
                for _ in range(min(above, 50) + 1):
                    found = found and found.parent
                return found
            case ast.Call():
                return self._called(node)
        return None

    def _called(self, node: ast.Call) -> Known | None:
        name = dotted(node.func)
        last = name.rpartition(".")[2]
        inner = node.func.value if isinstance(node.func, ast.Attribute) else None
        # a function's first argument, or the object of a method
        subject = node.args[0] if node.args else inner
        if last in _MAKERS or name.endswith("path.join"):
            return self._joined(node.args) if node.args else Known(".")
        if last in ("cwd", "getcwd"):
            return self._cwd
        if last == "joinpath" and inner is not None:
            return self._joined([inner, *node.args])
        if subject is None or not (last in _WHOLE or last in _SAME or last == "dirname"):
            return None
        found = self.value(subject)
        if found is None or last in _SAME:
            return found
        return found.parent if last == "dirname" else self._cwd.joined(found)

    def _joined(self, nodes: list[ast.expr]) -> Known | None:
        found = [self.value(node) for node in nodes]
        whole = found[0]
        for part in found[1:]:
            whole = whole.joined(part) if whole is not None and part is not None else None
        return whole

    def _glued(self, nodes: list[ast.expr]) -> Known | None:
        text, anchored = "", False
        for position, node in enumerate(nodes):
            found = self.value(node)
            if found is None or (found.anchored and position):
                return None
            text += found.text
            anchored = anchored or found.anchored
        return Known(text, anchored)
