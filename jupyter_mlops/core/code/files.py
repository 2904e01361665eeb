"""Finds the files of a project that its notebooks use as code."""

from __future__ import annotations

import ast
import posixpath
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ..errors import InvalidInputError
from ..messages import Message
from ..notebook.python_source import tree_of
from ..notebook.reading import language_of, read_notebook, source_of
from .command_lines import FileUse, ModuleUse, Uses, language_of_file, language_uses
from .paths import Known, Paths, normal
from .python import python_uses

Read = Callable[[str], str | None]
# folders in which projects keep packages that they install in their environment
_USUAL = ("", "src")
_MOST_ROUNDS = 5


@dataclass(frozen=True)
class CodeFiles:
    """The code that notebooks use.

    Attributes:
        files: paths relative to the project, including the notebooks.
        unfollowed: one sentence for each use that could not be resolved.
    """

    files: list[str] = field(default_factory=list)
    unfollowed: list[Message] = field(default_factory=list)


def code_files(notebooks: list[str], read: Read) -> CodeFiles:
    """The project's files that notebooks import, run or read as code, directly or indirectly.

    The analysis is static, so files that are mentioned but never used may be included.

    Args:
        notebooks: paths relative to the project.
        read: returns a file's text by its path relative to the project, None if there is no such file.
    """
    files: dict[str, None] = {}
    unfollowed: dict[Message, None] = {}
    for notebook in notebooks:
        walk = _Walk(normal(notebook), read)
        walk.go()
        files.update(dict.fromkeys(walk.files))
        unfollowed.update(dict.fromkeys(walk.unfollowed))
    return CodeFiles(list(files), list(unfollowed))


def import_folders(files: list[str]) -> list[str]:
    """Folders of a project from which its frozen modules are imported.

    Args:
        files: paths of all frozen files, relative to the project.
    """
    known = set(files)
    found: dict[str, None] = {}
    for path in files:
        if not path.endswith(".py"):
            continue
        folder = posixpath.dirname(path)
        while folder and f"{folder}/__init__.py" in known:
            folder = posixpath.dirname(folder)
        found[folder] = None
    return list(found)


class _Walk:
    """Follows one notebook; all code it uses runs in the notebook's folder."""

    def __init__(self, notebook: str, read: Read) -> None:
        self._notebook = notebook
        self._read = read
        self._cwd = posixpath.dirname(notebook)
        self._bases: dict[str, None] = {self._cwd: None}
        self._written: set[str] = set()
        self._found: dict[str, None] = {}
        self.unfollowed: dict[Message, None] = {}

    @property
    def files(self) -> list[str]:
        """The files found, except for those that the code writes itself."""
        return [path for path in self._found if path == self._notebook or path not in self._written]

    def go(self) -> None:
        """Repeat until no further folder is found: folders found late also apply to files read earlier."""
        for _ in range(_MOST_ROUNDS):
            before = len(self._bases)
            self._found.clear()
            self.unfollowed.clear()
            self._follow()
            if len(self._bases) == before:
                return

    def _follow(self) -> None:
        waiting = [self._notebook]
        while waiting:
            path = waiting.pop()
            if path in self._found:
                continue
            text = self._read(path)
            if text is None:
                continue
            self._found[path] = None
            for uses in self._uses(path, text):
                self._take_folders(path, uses)
                waiting.extend(self._modules(path, uses))
                waiting.extend(self._files(path, uses))
                self.unfollowed.update(
                    dict.fromkeys(Message("{path}: {what}.", path=path, what=what) for what in uses.unknown)
                )

    def _uses(self, path: str, text: str) -> Iterator[Uses]:
        language = language_of_file(path)
        if language == "notebook":
            yield from self._cells(path, text)
        elif language == "python":
            yield python_uses(text, path, self._cwd)
        else:
            yield language_uses(text, language)

    def _cells(self, path: str, text: str) -> Iterator[Uses]:
        try:
            notebook = read_notebook(text.encode("utf-8", "surrogatepass"))
        except InvalidInputError as error:
            yield Uses(unknown=[f"it cannot be followed: {str(error).rstrip('.')}"])
            return
        if posixpath.dirname(path) != self._cwd:
            self._bases.setdefault(posixpath.dirname(path))
        language = language_of(notebook)
        paths = Paths(path, self._cwd)
        for cell in notebook["cells"]:
            if cell.get("cell_type") != "code":
                continue
            if language in ("python", "ipython"):
                yield python_uses(source_of(cell), path, self._cwd, paths)
            else:
                yield language_uses(source_of(cell), language)

    # -- folders ---------------------------------------------------------------------------

    def _take_folders(self, path: str, uses: Uses) -> None:
        for known in uses.bases:
            if known.text.startswith(("/", "~")):
                self._say(path, f"it looks for code in {known.text}, which is not frozen")
                continue
            # a path upwards could lead from another folder out of the project
            starts = [self._cwd] if known.text.startswith("..") else list(self._bases)
            for place in self._places(known, starts):
                if place.startswith(".."):
                    self._say(path, f"it may look for code in {known.text}, which lies outside the project")
                else:
                    self._bases.setdefault(place)
        self._written.update(place for known in uses.written for place in self._places(known, list(self._bases)))

    def _places(self, known: Known, bases: list[str]) -> list[str]:
        if known.anchored:
            return [normal(known.text)]
        return list(dict.fromkeys(normal(posixpath.join(base, known.text)) for base in bases))

    def _say(self, path: str, what: str) -> None:
        self.unfollowed[Message("{path}: {what}.", path=path, what=what)] = None

    # -- files -----------------------------------------------------------------------------

    def _files(self, path: str, uses: Uses) -> Iterator[str]:
        for use in uses.files:
            found = self._file(path, use)
            if found is not None:
                yield found
            elif use.explicit:
                self._missing(path, use)

    def _file(self, path: str, use: FileUse) -> str | None:
        if use.path.text.startswith(("/", "~")):
            return None
        bases = list(dict.fromkeys([*self._bases, posixpath.dirname(path), ""]))
        for name in (use.path.text, *use.names):
            for place in self._places(Known(name, use.path.anchored), bases):
                if place and not place.startswith("..") and self._read(place) is not None:
                    return place
        return None

    def _missing(self, path: str, use: FileUse) -> None:
        places = self._places(use.path, [self._cwd])
        if any(place in self._written for place in places):
            return
        outside = use.path.text.startswith(("/", "~")) or all(place.startswith("..") for place in places)
        self._say(path, f"{use.path.text} {'lies outside the project' if outside else 'is not there'}")

    # -- modules ---------------------------------------------------------------------------

    def _modules(self, path: str, uses: Uses) -> Iterator[str]:
        for use in uses.modules:
            found = self._module(path, use)
            yield from found
            if use.level and not found and path.endswith(".py"):
                self._say(path, f"the source of the module {'.' * use.level}{use.module} was not found")

    def _module(self, path: str, use: ModuleUse) -> list[str]:
        parts = use.module.split(".") if use.module else []
        if use.level:
            start = normal("/".join([posixpath.dirname(path) or ".", *[".."] * (use.level - 1)]))
            return [] if start.startswith("..") else self._lookup(start, parts, use.names)
        if not parts:
            return []
        bases = list(self._bases)
        if parts[0] not in sys.stdlib_module_names:
            bases += [posixpath.dirname(path), *_USUAL]
        for base in dict.fromkeys(bases):
            found = self._lookup(base, parts, use.names)
            if found:
                return found
        return []

    def _lookup(self, base: str, parts: list[str], names: tuple[str, ...]) -> list[str]:
        """Files that an import loads if its first name is searched for in a folder."""
        found: list[str] = []
        place = base
        if not parts:
            found += self._one(posixpath.join(place, "__init__"))
        for part in parts:
            place = posixpath.join(place, part)
            found += self._one(place)
        if "*" in names:
            names = tuple(name for file in found[-1:] for name in self._public(file))
        for name in names:
            found += self._one(posixpath.join(place, name))
        return found

    def _one(self, place: str) -> list[str]:
        for file in (f"{place}/__init__.py", f"{place}.py"):
            if self._read(file) is not None:
                return [file]
        return []

    def _public(self, file: str) -> list[str]:
        """The names in ``__all__`` of a module, which may be modules of a package."""
        tree = tree_of(self._read(file) or "")
        for node in tree.body if tree is not None else ():
            match node:
                case ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List(elts=names) | ast.Tuple(elts=names)):
                    return [str(name.value) for name in names if isinstance(name, ast.Constant)]
        return []
