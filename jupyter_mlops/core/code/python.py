"""Finds the code that Python uses: imports, files it runs, IPython's commands."""

from __future__ import annotations

import ast
import re

from ..notebook.bindings import dotted
from ..notebook.python_source import Command, commands, parse_python
from .command_lines import FileUse, ModuleUse, Uses, quoted_uses, shell_uses
from .paths import Known, Paths, is_code

_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]+([\w, ]+|\*)|import[ \t]+([\w., ]+))", re.M)
_MODULE_CALLS = frozenset({"import_module", "__import__", "run_module"})
_FILE_CALLS = frozenset({"run_path", "execfile"})
_NOTEBOOK_CALLS = frozenset({"execute_notebook", "run_notebook"})
_BASE_CALLS = frozenset({"chdir", "addsitedir", "sys.path.append", "sys.path.insert", "sys.path.extend"})
_SHELL_CALLS = frozenset({"system", "getoutput", "getstatusoutput", "popen", "Popen", "run", "call", "check_call"})
_SHELL_CALLS |= {"check_output"}
_SHELL_CELLS = ("%%bash", "%%sh", "%%script", "%%system", "%%!", "%%sx", "%%zsh")
_SHELL_LINES = ("!", "system", "sx", "sc")
_RUN_WITH_VALUE = ("-N", "-p", "-l", "-s", "-T", "-D")


def python_uses(source: str, own: str, cwd: str, paths: Paths | None = None) -> Uses:
    """The code that a Python module or cell uses.

    Args:
        own: path of its file, relative to the project.
        cwd: working directory, relative to the project.
        paths: known from earlier cells of the notebook.
    """
    found = Uses()
    for command in commands(source):
        _command(command, source, found)
    try:
        _Visitor(found, paths or Paths(own, cwd)).visit(parse_python(source)[0])
    except (SyntaxError, RecursionError):
        # the error is reported at run time; the files it mentions are frozen nevertheless
        _unparsed(source, found)
    return found


def _unparsed(source: str, found: Uses) -> None:
    for dots, module, names, plain in _IMPORT.findall(source):
        if plain:
            found.modules.extend(ModuleUse(part.split()[0]) for part in plain.split(",") if part.strip())
        else:
            taken = tuple(name.split()[0] for name in names.split(",") if name.strip())
            found.modules.append(ModuleUse(module, len(dots), taken))
    quoted_uses(source, found)


# -- IPython's commands ------------------------------------------------------------------------


def _command(command: Command, source: str, found: Uses) -> None:
    body = "\n".join(source.split("\n")[command.line :])
    words = command.rest.split()
    if command.python:
        _merge(found, python_uses(command.python, "", ""))
    elif command.name in _SHELL_LINES:
        shell_uses(command.rest, found)
    elif command.name in _SHELL_CELLS:
        shell_uses(f"{command.rest}\n{body}", found)
    elif command.name == "run":
        _run(words, found)
    elif command.name in ("load", "loadpy", "pycat") and words:
        found.file(words[-1], words[-1] + ".py")
    elif command.name in ("load_ext", "reload_ext"):
        found.modules.extend(ModuleUse(word) for word in words)
    elif command.name == "cd" and words:
        found.bases.append(Known(words[-1]))
    elif command.name in ("%%writefile", "%%file") and words:
        found.written.append(Known(words[-1].strip("\"'")))
    elif command.name.startswith(("%%python", "%%pypy")):
        _merge(found, python_uses(body, "", ""))
    elif command.name.startswith("%%"):
        shell_uses(command.rest, found)
        quoted_uses(body, found)
    else:
        shell_uses(command.rest, found)


def _run(words: list[str], found: Uses) -> None:
    while words and words[0].startswith("-"):
        option = words.pop(0)
        if option == "-m" and words:
            found.modules.append(ModuleUse(words[0]))
            return
        if option in _RUN_WITH_VALUE and words:
            words.pop(0)
    if not words:
        return
    name = words[0].strip("\"'")
    if any(sign in name for sign in "${*"):
        found.unknown.append(f"%run {name} is known only when it runs")
        return
    found.file(name, name + ".py", name + ".ipynb", explicit=True)


def _merge(found: Uses, other: Uses) -> None:
    for name in ("files", "modules", "bases", "written", "unknown"):
        getattr(found, name).extend(getattr(other, name))


# -- Python itself -----------------------------------------------------------------------------


class _Visitor(ast.NodeVisitor):
    """Visits nodes in the order of the source, so that names have the value assigned last."""

    def __init__(self, found: Uses, paths: Paths) -> None:
        self.found = found
        self._paths = paths

    def visit_Import(self, node: ast.Import) -> None:
        self.found.modules.extend(ModuleUse(name.name) for name in node.names)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.found.modules.append(ModuleUse(node.module or "", node.level, tuple(name.name for name in node.names)))

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            if isinstance(target, ast.Name):
                self._paths.assign(target.id, node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.generic_visit(node)
        if isinstance(node.target, ast.Name):
            self._paths.assign(node.target.id, node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.generic_visit(node)
        if dotted(node.target) == "sys.path":
            self._bases([node.value])
        elif isinstance(node.target, ast.Name):
            self._paths.assign(node.target.id, None)

    def visit_Constant(self, node: ast.expr) -> None:
        self._named(node)
        self.generic_visit(node)

    visit_BinOp = visit_JoinedStr = visit_Constant

    def visit_Call(self, node: ast.Call) -> None:
        self._named(node)
        self.generic_visit(node)
        name = dotted(node.func)
        last = name.rpartition(".")[2]
        if last in _MODULE_CALLS:
            self._module(node, name)
        elif last in _FILE_CALLS or last in _NOTEBOOK_CALLS:
            self._file(node, name)
        elif last == "exec" and node.args:
            self._exec(node.args[0])
        elif name in _BASE_CALLS or last in _BASE_CALLS:
            self._bases(node.args)
        elif last in ("open", "write_text", "write_bytes"):
            self._written(node, last)
        elif last in ("run_line_magic", "run_cell_magic"):
            self._magic(node)
        elif last in _SHELL_CALLS and node.args:
            self._shell(node.args[0])

    def _named(self, node: ast.expr) -> None:
        known = self._paths.value(node)
        if known is not None and is_code(known.text):
            self.found.files.append(FileUse(known))

    def _module(self, node: ast.Call, name: str) -> None:
        texts = [self._paths.value(argument) for argument in [*node.args, *(key.value for key in node.keywords)]]
        if not texts or texts[0] is None:
            self.found.unknown.append(f"what {name.removeprefix('?.')}() imports is known only when it runs")
            return
        module = texts[0].text
        level = len(module) - len(module.lstrip("."))
        package = texts[1].text if level and len(texts) > 1 and texts[1] is not None else ""
        if package:
            above = package.split(".")
            module = ".".join([*above[: len(above) - level + 1], module.lstrip(".")])
            level = 0
        self.found.modules.append(ModuleUse(module.lstrip("."), level))

    def _file(self, node: ast.Call, name: str) -> None:
        given = node.args[0] if node.args else node.keywords[0].value if node.keywords else None
        known = None if given is None else self._paths.value(given)
        if known is None:
            self.found.unknown.append(f"what {name.removeprefix('?.')}() runs is known only when it runs")
        else:
            self.found.files.append(FileUse(known, explicit=True))

    def _exec(self, node: ast.expr) -> None:
        for call in ast.walk(node):
            if not isinstance(call, ast.Call):
                continue
            inner = call.func.value if isinstance(call.func, ast.Attribute) else None
            last = dotted(call.func).rpartition(".")[2]
            read = call.args[0] if last == "open" and call.args else inner if last == "read_text" else None
            if read is None:
                continue
            known = self._paths.value(read)
            if known is None:
                self.found.unknown.append(f"what exec({ast.unparse(call)}) runs is known only when it runs")
            else:
                self.found.files.append(FileUse(known, explicit=True))

    def _bases(self, nodes: list[ast.expr]) -> None:
        for node in nodes:
            if isinstance(node, ast.List | ast.Tuple):
                self._bases(node.elts)
            elif (known := self._paths.value(node)) is not None:
                self.found.bases.append(known)

    def _written(self, node: ast.Call, last: str) -> None:
        method = isinstance(node.func, ast.Attribute) and dotted(node.func) not in ("io.open", "codecs.open")
        subject: ast.expr | None = node.args[0] if node.args else None
        if method and isinstance(node.func, ast.Attribute):
            subject = node.func.value
        modes = [*node.args[0 if method else 1 :], *(key.value for key in node.keywords if key.arg == "mode")]
        texts = [mode.value for mode in modes[:1] if isinstance(mode, ast.Constant) and isinstance(mode.value, str)]
        if subject is None or (last == "open" and not any(set(text) & set("wx") for text in texts)):
            return
        known = self._paths.value(subject)
        if known is not None:
            self.found.written.append(known)

    def _magic(self, node: ast.Call) -> None:
        texts = [known.text for argument in node.args if (known := self._paths.value(argument)) is not None]
        if len(texts) == len(node.args) > 0:
            cell = len(texts) > 2
            source = f"{'%%' if cell else '%'}{' '.join(texts[:2])}" + (f"\n{texts[2]}" if cell else "")
            for command in commands(source):
                _command(command, source, self.found)

    def _shell(self, node: ast.expr) -> None:
        if isinstance(node, ast.List | ast.Tuple):
            known = [self._paths.value(part) for part in node.elts]
            # an unknown word, such as sys.executable, is most likely the program
            words = [part.text if part is not None else "python" for part in known]
            shell_uses(" ".join(f"'{word}'" if " " in word else word for word in words if "'" not in word), self.found)
        elif (known_line := self._paths.value(node)) is not None:
            shell_uses(known_line.text, self.found)
