"""Finds the imports of a notebook that may be done before its kernel is forked.

An early import must have the same result as in the notebook. This excludes modules in the notebook's folder, and all
imports behind the first line that may change what an import finds, prints or sees. The analysis is static; in doubt
an import is left to the notebook, which only costs time.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path

from ...core.notebook.bindings import OF_IMPORTLIB, OF_OS, OF_SYS, Bindings, Watch, bindings, taken, uses, wholly, words
from ...core.notebook.python_source import Command, commands, tree_of
from ..attempt_files import Snapshot

_MODULES = (".py", ".so")
_MOST_FILES = 5_000  # a larger snapshot may be incomplete

# names that may change where imports look, what they print, or which object a module is
_TOUCHING = Watch(
    modules={
        "os": OF_OS | words("getpid getppid urandom"),
        "sys": OF_SYS | words("stdin exit getrefcount exc_info"),
        "warnings": words("warn"),
        "locale": words("getlocale getpreferredencoding localeconv str atof"),
        **OF_IMPORTLIB,
        **wholly("posix site builtins imp pkgutil runpy pip subprocess dotenv pyximport import_ipynb"),
    },
    reached=words("os sys builtins importlib subprocess"),
    anywhere=words(
        "environ environb putenv unsetenv chdir fchdir meta_path path_hooks addsitedir import_module reload "
        "load_dotenv __import__ __builtins__ __loader__ __spec__ "
        "filterwarnings simplefilter resetwarnings catch_warnings captureWarnings setlocale "
        "basicConfig dictConfig fileConfig setLevel addHandler "
        "rcParams rcdefaults rc_file rc_context switch_backend "
        "install install_import_hook patch patch_all patch_sklearn monkey_patch "
        "get_ipython run_line_magic run_cell_magic"
    ),
    exactly=words("exec eval compile globals locals matplotlib.use"),
)
# magics that cannot affect imports; all others, and shell commands, may
_HARMLESS = words(
    "? matplotlib time timeit prun precision who whos pwd pinfo pdoc psource "
    "%%time %%timeit %%prun %%capture %%html %%HTML %%markdown %%latex %%svg %%SVG %%javascript %%js"
)


def warm_imports(sources: list[str], folder: Path) -> list[str]:
    """Top-level import statements of a notebook that may be done before its kernel is forked.

    Args:
        sources: of the code cells, in order.
        folder: of the notebook. Modules there are left out, because they may change between two runs; their code
            counts as if it were part of the notebook.

    Returns:
        one statement each, in order, without duplicates.
    """
    found: dict[str, None] = {}
    known = bindings(_trees(sources))
    local = _LocalModules(folder)
    for source in sources:
        if not _collect(source, known, local, found):
            break
    return list(found)


def remembered_imports(
    sources: list[str], folder: Path, files: Snapshot, further: Sequence[str] = ()
) -> tuple[str, ...]:
    """As :func:`warm_imports`, cached while the folder's modules are unchanged.

    Args:
        files: snapshot of the folder.
        further: other folders of the notebook's modules, to which the same restrictions apply.
    """
    others = [Path(place) for place in further if Path(place) != folder]
    if others or len(files) > _MOST_FILES or (further and _has_linked_folders(folder)):
        found = warm_imports(sources, folder)
        for place in others:
            allowed = set(warm_imports(sources, place))
            found = [line for line in found if line in allowed]
        return tuple(found)
    modules = frozenset((path, state) for path, state in files.items() if path.endswith(_MODULES))
    return _remembered(tuple(sources), folder, modules)


def _has_linked_folders(folder: Path) -> bool:
    """Whether the folder contains links to folders, which snapshots do not follow."""
    try:
        with os.scandir(folder) as entries:
            return any(entry.is_symlink() and entry.is_dir() for entry in entries)
    except OSError:
        return True


@lru_cache(maxsize=32)
def _remembered(
    sources: tuple[str, ...], folder: Path, modules: frozenset[tuple[str, tuple[int, int]]]
) -> tuple[str, ...]:
    return tuple(warm_imports(list(sources), folder))


def _trees(sources: list[str]) -> Iterator[ast.Module]:
    """The cells' trees up to the first cell that is not Python."""
    for source in sources:
        tree = tree_of(source)
        if tree is None:
            return
        yield tree


def _collect(source: str, known: Bindings, local: _LocalModules, found: dict[str, None]) -> bool:
    """Add a cell's imports to ``found``; whether to go on with the next cell."""
    tree = tree_of(source)
    if tree is None:
        return False
    wrong = next((command.line for command in commands(source) if not _command_is_harmless(command, known)), None)
    for node in tree.body:
        if wrong is not None and node.lineno >= wrong:
            return False
        if touches_imports(node, known):
            return False
        if not local.are_harmless(node):
            return False
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.update(dict.fromkeys(_statements(node, local)))
    return wrong is None


def _command_is_harmless(command: Command, known: Bindings) -> bool:
    if command.name == "config":
        return command.rest.startswith("InlineBackend.")
    if command.name not in _HARMLESS:
        return False
    try:
        tree = ast.parse(command.python)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    # names bound in such a line are unknown to ``known``, so imports there are not harmless
    imports = any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(tree))
    return not imports and not touches_imports(tree, known)


def _statements(node: ast.Import | ast.ImportFrom, local: _LocalModules) -> Iterator[str]:
    """A statement as text, split into one per module so that each may fail alone."""
    if isinstance(node, ast.ImportFrom):
        if not node.level and node.module != "__future__" and not local.has(node.module or ""):
            yield ast.unparse(node)
        return
    for name in node.names:
        if not local.has(name.name):
            yield ast.unparse(ast.Import(names=[name]))


def touches_imports(tree: ast.AST, known: Bindings) -> bool:
    """Whether source uses a name that may change what an import finds, prints or sees."""
    return any(_TOUCHING.catches(name) for name in chain(uses(tree, known), taken(tree)))


class _LocalModules:
    """The modules in a notebook's folder, read on demand."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[Path, bool] = {}
        self._files: dict[Path, dict[str, list[Path]]] = {}

    def has(self, module: str) -> bool:
        """Whether a module may come from this folder."""
        first = module.partition(".")[0]
        return (self._folder / first).is_dir() or bool(self._candidates(self._folder, first))

    def are_harmless(self, tree: ast.AST, package: Path | None = None) -> bool:
        """Whether none of the local modules that source imports can affect later imports.

        Args:
            package: folder of the importing module; None for a cell.
        """
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                wanted = [(self._folder, name.name) for name in node.names]
            elif isinstance(node, ast.ImportFrom):
                start = self._folder
                if node.level:
                    # in a cell, which has no package, such an import fails
                    start = (package or self._folder).joinpath(*[".."] * (node.level - 1))
                names = [f"{node.module}.{name.name}" if node.module else name.name for name in node.names]
                wanted = [(start, name) for name in names]
            else:
                continue
            if not all(self._is_harmless(start, module) for start, module in wanted):
                return False
        return True

    def _is_harmless(self, start: Path, module: str) -> bool:
        """Whether a module and its packages cannot affect later imports; true for modules that do not exist."""
        place = start
        for part in module.split("."):
            files = self._candidates(place, part)
            place = place / part
            if place.is_dir():
                files = self._candidates(place, "__init__")
            if not all(self._read(file) for file in files):
                return False
        return True

    def _candidates(self, folder: Path, name: str) -> list[Path]:
        """Files that an import of a name may load: source, compiled, extension."""
        if folder not in self._files:
            self._files[folder] = _modules(folder)
        return self._files[folder].get(name, [])

    def _read(self, file: Path) -> bool:
        if file not in self._seen:
            # ends circular imports
            self._seen[file] = True
            self._seen[file] = self._looks_harmless(file)
        return self._seen[file]

    def _looks_harmless(self, file: Path) -> bool:
        if file.suffix != ".py":
            return False
        try:
            tree = ast.parse(file.read_bytes())
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            return False
        return not touches_imports(tree, bindings([tree])) and self.are_harmless(tree, file.parent)


def _modules(folder: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    try:
        files = [file for file in folder.iterdir() if file.name.endswith((".py", ".pyc", ".so", ".pyd"))]
    except OSError:
        return {}
    for file in files:
        found.setdefault(file.name.partition(".")[0], []).append(file)
    return found
