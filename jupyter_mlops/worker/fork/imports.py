"""Which of a notebook's imports may be done before its kernel is forked.

What is imported early must be what the notebook itself would have got: so nothing that lies beside the
notebook, and nothing after the first line that may change what an import finds, prints or sees. Read,
never run; where in doubt, an import is left to the notebook, which costs time and nothing else.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path

from ...core.notebook.bindings import Bindings, Watch, bindings, taken, uses, words
from ...core.notebook.python_source import Command, commands, parse_python
from ..attempt_files import Snapshot

_MODULES = (".py", ".so")
_MOST_FILES = 5_000  # beyond that the folder may not have been looked at to its end

# what may change where imports look, what they show, or what stands in a module's place
_TOUCHING = Watch(
    modules={
        "os": words(
            "path sep linesep curdir pardir name cpu_count getcwd getenv getpid getppid uname listdir scandir walk "
            "mkdir makedirs remove unlink rmdir rename replace stat access urandom PathLike fspath fsdecode fsencode"
        ),
        "sys": words(
            "version version_info executable platform stdout stderr stdin exit maxsize float_info byteorder getsizeof "
            "prefix base_prefix implementation hexversion getrecursionlimit setrecursionlimit getrefcount exc_info"
        ),
        "posix": words(""),
        "site": words(""),
        "builtins": words(""),
        "importlib": words("metadata resources"),
        "importlib.util": words("find_spec"),
        "imp": words(""),
        "pkgutil": words(""),
        "runpy": words(""),
        "pip": words(""),
        "subprocess": words(""),
        "warnings": words("warn"),
        "locale": words("getlocale getpreferredencoding localeconv str atof"),
        "dotenv": words(""),
        "pyximport": words(""),
        "import_ipynb": words(""),
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
# IPython's own lines that leave imports alone; every other one, and every program that is called, may do anything
_HARMLESS = words(
    "? matplotlib time timeit prun precision who whos pwd pinfo pdoc psource "
    "%%time %%timeit %%prun %%capture %%html %%HTML %%markdown %%latex %%svg %%SVG %%javascript %%js"
)


def warm_imports(sources: list[str], folder: Path) -> list[str]:
    """Import statements at the top level of a notebook that may be done before its kernel is forked.

    Args:
        sources: of its code cells, in their order.
        folder: where the notebook lies. Modules there are left out, as they may change between two runs; what
            they do when imported counts as if it stood in the notebook.

    Returns:
        The text of one statement each, in order, without doubles.
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
    """As :func:`warm_imports`, read once as long as the folder's modules stay as they are.

    Args:
        files: all that lies below the folder.
        further: other folders where the notebook's modules may lie; what they would forbid is left out, too.
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
    """Whether modules may lie where nobody looked for what lies below the folder."""
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
    for source in sources:
        try:
            yield parse_python(source)[0]
        except SyntaxError:
            # nothing behind such a cell is looked at
            return


def _collect(source: str, known: Bindings, local: _LocalModules, found: dict[str, None]) -> bool:
    """Add what a cell imports; whether the cells behind it may be looked at, too."""
    try:
        body = parse_python(source)[0].body
    except SyntaxError:
        return False
    wrong = next((command.line for command in commands(source) if not _command_is_harmless(command, known)), None)
    for node in body:
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
    # its own names are not among the known ones: an import in such a line ends the matter
    imports = any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(tree))
    return not imports and not touches_imports(tree, known)


def _statements(node: ast.Import | ast.ImportFrom, local: _LocalModules) -> Iterator[str]:
    """A statement as text; one that names several modules is as many, so that each may fail alone."""
    if isinstance(node, ast.ImportFrom):
        if not node.level and node.module != "__future__" and not local.has(node.module or ""):
            yield ast.unparse(node)
        return
    for name in node.names:
        if not local.has(name.name):
            yield ast.unparse(ast.Import(names=[name]))


def touches_imports(tree: ast.AST, known: Bindings) -> bool:
    """Whether source names anything, anywhere, that may change what an import finds, prints or sees."""
    return any(_TOUCHING.catches(name) for name in chain(uses(tree, known), taken(tree)))


class _LocalModules:
    """Modules that lie in a notebook's folder, read as far as imports lead to them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[Path, bool] = {}
        self._files: dict[Path, dict[str, list[Path]]] = {}

    def has(self, module: str) -> bool:
        """Whether a module may come from there."""
        first = module.partition(".")[0]
        return (self._folder / first).is_dir() or bool(self._candidates(self._folder, first))

    def are_harmless(self, tree: ast.AST, package: Path | None = None) -> bool:
        """Whether all that source imports from there leaves later imports alone.

        Args:
            tree: the source.
            package: folder of the module that it is; None for a cell.
        """
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                wanted = [(self._folder, name.name) for name in node.names]
            elif isinstance(node, ast.ImportFrom):
                start = self._folder
                if node.level:
                    # a cell has no package: such an import fails there
                    start = (package or self._folder).joinpath(*[".."] * (node.level - 1))
                names = [f"{node.module}.{name.name}" if node.module else name.name for name in node.names]
                wanted = [(start, name) for name in names]
            else:
                continue
            if not all(self._is_harmless(start, module) for start, module in wanted):
                return False
        return True

    def _is_harmless(self, start: Path, module: str) -> bool:
        """Whether a module, with the packages it lies in, leaves later imports alone; one that is not there does."""
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
            # circles of imports end here
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
