"""Why a cell cannot be executed once for all runs of a sweep, apart from the parameters it uses.

Some code cannot be analysed, so it may use a parameter without naming it; some must run separately in each run; some
does not survive the fork of a process. The analysis is static; in doubt a cell is not shared.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ..messages import Message
from .bindings import OF_IMPORTLIB, OF_OS, OF_SYS, Bindings, Watch, dotted, origins, taken, uses, wholly, words
from .python_source import Command

# end of the sentence about a name, and the names; the first match is reported
_RULES: tuple[tuple[str, Watch], ...] = (
    (
        "may end the notebook ({name})",
        Watch(exactly=words("exit quit sys.exit os._exit os.abort os.kill os.killpg")),
    ),
    (
        "asks a person ({name})",
        Watch(modules={"getpass": words("getuser")}, exactly=words("input breakpoint pdb.set_trace")),
    ),
    ("uses MLflow, where each run has its own", Watch(modules=wholly("mlflow"))),
    (
        "uses {name}, which would be the same in all runs",
        Watch(
            modules={"uuid": words("UUID"), "tempfile": words("gettempdir"), **wholly("secrets")},
            exactly=words("os.getpid os.getppid os.urandom os.times"),
        ),
    ),
    (
        "may start threads or processes ({name}), which a fork does not take along",
        Watch(
            modules={
                "threading": words("Lock RLock local current_thread main_thread active_count"),
                "multiprocessing": words("cpu_count"),
                "joblib": words("dump load hash cpu_count Memory"),
                **wholly("_thread subprocess concurrent asyncio distributed dask.distributed ray pyspark wandb"),
                **wholly("signal atexit"),
            },
            reached=words("threading multiprocessing subprocess"),
            anywhere=words(
                "Thread Timer ThreadPool ThreadPoolExecutor ProcessPoolExecutor Popen Parallel start_new_thread "
                "run_in_executor to_thread"
            ),
            exactly=words("os.fork os.forkpty os.system os.popen os.posix_spawn"),
        ),
    ),
    (
        "opens a connection ({name}), which runs cannot share",
        Watch(
            modules={"socket": words("gethostname getfqdn"), **wholly("socketserver")},
            anywhere=words("connect create_connection create_engine"),
        ),
    ),
    (
        "uses {name}, whose display later cells may change",
        Watch(
            modules=wholly("ipywidgets tqdm.auto tqdm.autonotebook tqdm.notebook"),
            anywhere=words("tqdm_notebook update_display DisplayHandle"),
        ),
    ),
    (
        "uses {name}, which cannot be seen through",
        Watch(
            modules={
                "os": OF_OS | words("environ"),
                "sys": OF_SYS | words("path argv"),
                "inspect": words("signature getdoc getsource isclass isfunction ismethod cleandoc Parameter"),
                "IPython": words("display"),
                **OF_IMPORTLIB,
                **wholly("builtins __main__ ctypes runpy ipykernel"),
            },
            reached=words("os sys builtins"),
            anywhere=words(
                "get_ipython run_line_magic run_cell_magic user_ns import_module __globals__ __builtins__ __loader__ "
                "currentframe _getframe _current_frames getouterframes getinnerframes f_globals f_locals f_back "
                "tb_frame gi_frame cr_frame get_objects get_referrers"
            ),
            exactly=words("exec eval compile globals locals vars dir __import__"),
        ),
    ),
)
# functions that look up names in the text passed to them
_RUNNING_TEXT = words("query eval sql")
_READING_TEXT = _RUNNING_TEXT | words("from_formula ols wls gls glm logit probit dmatrix dmatrices evaluate execute")
# all kernels forked later would share what stays open after such a call, and its position
_OPENING = words("open open_dataset open_group urlopen File HDFStore ExcelFile ZipFile TarFile NpzFile")
_HISTORY = re.compile(r"In|Out|_{1,3}|_i{1,3}|_i?\d+|_[iod]h|_sh")
_IDENTITY = re.compile(r"MLOPS_|MLFLOW_")
_WORD = re.compile(r"\w+")
_SCOPES = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def opaque_command(command: Command) -> Message:
    """Why an IPython command keeps its cell from being shared, as the end of a sentence; empty if it does not."""
    shared = (
        command.name in ("time", "%%time")
        or (command.name == "matplotlib" and command.rest == "inline")
        or (command.name == "config" and command.rest.startswith("InlineBackend."))
    )
    if shared and not command.assigned:
        return Message()
    text = (
        command.rest if command.name == "?" else command.name if command.name.startswith("%%") else "%" + command.name
    )
    if command.name == "!":
        text = "!" + command.rest
    return Message("holds “{text}”, which cannot be seen through", text=text[:40])


def opaque(tree: ast.AST, known: Bindings) -> Message:
    """Why Python source keeps its cell from being shared, as the end of a sentence; empty if it does not.

    Args:
        known: what the notebook's names stand for.
    """
    for name in taken(tree):
        module, _, what = name.rpartition(".")
        if what == "*":
            return Message("imports every name of {module}, whichever these are", module=module)
        if module == "__main__":
            return Message("imports names of __main__, which cannot be seen through")
    for name in uses(tree, known):
        for says, watch in _RULES:
            if watch.catches(name):
                return Message(says, name=name.removeprefix("?."))
    return next(_opaque_nodes(tree, known), Message())


def _opaque_nodes(tree: ast.AST, known: Bindings) -> Iterator[Message]:
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str() | bytes() as text) if _IDENTITY.search(str(text)):
                yield Message("names {around}, which differs between runs", around=_around(str(text)))
            case ast.Name(id=name, ctx=ast.Load()) if _HISTORY.fullmatch(name):
                yield Message("uses {name}, the history of what was executed", name=name)
            case ast.Name(id="In" | "Out" as name):
                yield Message("uses {name}, the history of what was executed", name=name)
            case ast.Import(names=names) if any(name.name == "__main__" for name in names):
                yield Message("imports __main__, which cannot be seen through")
            case ast.keyword(arg="display_id"):
                yield Message("shows something that later cells may change (display_id)")
            case ast.Call(func=ast.Attribute(attr=attr)) if attr in _RUNNING_TEXT and not _is_text(_argument(node)):
                yield Message("calls {attr} with a text that cannot be seen through", attr=attr)
            case (
                ast.Assign(value=ast.Call(func=func))
                | ast.AnnAssign(value=ast.Call(func=func))
                | ast.NamedExpr(value=ast.Call(func=func))
            ) if dotted(func).rpartition(".")[2] in _OPENING:
                yield Message(
                    "leaves a file open ({call}), whose place runs would share",
                    call=dotted(func).removeprefix("?."),
                )
            case ast.Attribute(ctx=ast.Store() | ast.Del()) if _is_of_sys(node, known):
                yield Message("changes {dotted}, which cannot be seen through", dotted=dotted(node))
    if _reads_whole_environment(tree, known):
        yield Message("reads environment variables that cannot be told beforehand, and some differ between runs")
    if _awaits(tree):
        yield Message("awaits at top level, where other tasks may be under way")


def names_in_text(tree: ast.AST) -> Iterator[str]:
    """Names in strings that are looked up in the notebook: ``@alpha`` anywhere, each word in a query."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(r"@\s*(\w+)", node.value)
        if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in _READING_TEXT:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                    yield from _WORD.findall(inner.value)


def _argument(call: ast.Call) -> ast.expr | None:
    return next(
        iter((*call.args, *(keyword.value for keyword in call.keywords if keyword.arg in (None, "expr")))), None
    )


def _is_text(node: ast.expr | None) -> bool:
    return node is None or isinstance(node, ast.Constant | ast.JoinedStr)


def _around(text: str) -> str:
    found = re.search(r"\w*(?:MLOPS_|MLFLOW_)\w*", text)
    return found.group() if found else text


def _is_of_sys(node: ast.Attribute, known: Bindings) -> bool:
    return any(name.startswith(("sys.", "os.")) and name.count(".") == 1 for name in origins(dotted(node), known))


def _reads_whole_environment(tree: ast.AST, known: Bindings) -> bool:
    """Whether environment variables are read other than by a literal name."""
    told: set[int] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=value, slice=ast.Constant()):
                told.add(id(value))
            case ast.Call(func=func, args=[ast.Constant(), *_]):
                told.add(id(func))
                if isinstance(func, ast.Attribute):
                    told.add(id(func.value))
            case ast.Compare(left=ast.Constant(), ops=[ast.In() | ast.NotIn()], comparators=[value]):
                told.add(id(value))
    reading = ("environ", "environb", "getenv", "getenvb")
    return any(
        name.rpartition(".")[2] in reading
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute | ast.Name) and id(node) not in told
        for name in origins(dotted(node), known)
    )


def _awaits(tree: ast.AST) -> bool:
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith):
            return True
        if isinstance(node, ast.comprehension) and node.is_async:
            return True
        if not isinstance(node, _SCOPES):
            waiting.extend(ast.iter_child_nodes(node))
    return False
