"""Reads notebooks without running them."""

from __future__ import annotations

import ast
import codecs
import hashlib
import json
import re
from typing import Any

from ..errors import InvalidInputError
from ..lenient import decode, without_unknown
from ..messages import Message
from ..parameters import NotebookInfo, Parameter
from ..record import Record
from ..sweeps import SweepRequest
from ..values import show
from .declared import assigned_names, read_parameters
from .python_source import tree_of

Notebook = dict[str, Any]
_MLFLOW_OWN = ("set_experiment", "set_tracking_uri")
_METRIC = re.compile(
    r"(^|_)(auc|acc|accuracy|f1|loss|score|precision|recall|r2|mse|rmse|mae|mape|logloss|perplexity|bleu|iou|dice|error)$"
)


class MlflowUsage(Record, frozen=True, kw_only=True):
    """How a notebook uses MLflow.

    Attributes:
        uses_mlflow: whether it imports MLflow.
        owns_runs: whether it chooses experiment, server or runs itself, so that a run prepared for it would interfere.
    """

    uses_mlflow: bool = False
    owns_runs: bool = False


def read_notebook(data: bytes) -> Notebook:
    """Parse a notebook; refuses what Jupyter cannot open. All of the package reads notebooks with this function.

    Returns:
        the notebook; each cell's source is one string, and its tags are a list.

    Raises:
        InvalidInputError: not JSON in UTF-8, not a notebook, or not nbformat 4; the message says what to do.
    """
    try:
        loaded = json.loads(data.decode())
        if b"\\ud" in data or b"\\uD" in data:
            # lone surrogates can be neither stored nor sent
            json.dumps(loaded, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        if data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise InvalidInputError(
                Message("This file begins with a byte order mark, which Jupyter does not read; save it as plain UTF-8.")
            ) from None
        if _is_prose(data):
            raise InvalidInputError(
                Message(
                    "This file is not a notebook but text. One of jupytext (.py, .md) is run once it is "
                    "saved as a notebook: jupytext --to ipynb FILE."
                )
            ) from None
        raise InvalidInputError(
            Message("This file is not a notebook: it is not valid JSON. Restore it from a checkpoint or a backup.")
        ) from None
    if not isinstance(loaded, dict) or "nbformat" not in loaded:
        raise InvalidInputError(Message("This file is JSON but not a notebook: it has no nbformat."))
    if loaded["nbformat"] != 4:
        raise InvalidInputError(
            Message(
                "This notebook is of nbformat {loaded}; open it in JupyterLab and save it, which makes it one of 4.",
                loaded=show(loaded["nbformat"]),
            )
        )
    cells = loaded.get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise InvalidInputError(Message("This notebook has no list of cells; open it in JupyterLab and save it again."))
    flaws = [f"cell {number} {flaw}" for number, cell in enumerate(cells, 1) if (flaw := _flaw(cell))]
    if not isinstance(loaded.get("metadata"), dict) or not isinstance(loaded.setdefault("nbformat_minor", 0), int):
        flaws.insert(0, "it has no metadata, or an nbformat_minor that is no whole number")
    if flaws:
        raise InvalidInputError(
            Message(
                "Jupyter cannot read this notebook: {flaws}. Restore it from a checkpoint or a backup.", flaws=flaws[0]
            )
        )
    for cell in cells:
        cell["source"] = source_of(cell)
        cell["metadata"]["tags"] = tags_of(cell)
    return loaded


def _flaw(cell: dict[str, Any]) -> str:
    """Why nbformat, or the code that uses it, cannot read a cell; empty if it can.

    nbformat itself takes longer to import than the whole command line.
    """
    outputs, attachments = cell.get("outputs", []), cell.get("attachments", {})
    if not isinstance(cell.get("metadata"), dict):
        return "has no metadata"
    if not isinstance(cell.get("cell_type"), str) or not isinstance(cell.get("id", ""), str):
        return "has no type, or an id that is no text"
    if not isinstance(outputs, list) or not all(map(_is_output, outputs)):
        return "has outputs that are none"
    if not isinstance(attachments, dict) or not all(isinstance(item, dict) for item in attachments.values()):
        return "has attachments that are none"
    return "" if cell.get("source") is None or _is_text(cell["source"]) else "has a source that is no text"


def _is_output(output: Any) -> bool:
    if not isinstance(output, dict) or not isinstance(output.get("output_type", ""), str):
        return False
    return isinstance(output.get("data", {}), dict) and _is_text(output.get("text", ""))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(line, str) for line in value))


def _is_prose(data: bytes) -> bool:
    """Whether a file that is not JSON is plain text, such as a script."""
    try:
        return bool(data.decode().strip()) and not data.lstrip().startswith((b"{", b"["))
    except UnicodeDecodeError:
        return False


def source_of(cell: dict[str, Any]) -> str:
    """A cell's source as one text."""
    source = cell.get("source") or ""
    return "".join(source) if isinstance(source, list) else str(source)


def tags_of(cell: dict[str, Any]) -> list[Any]:
    """A cell's tags."""
    tags = _metadata(cell).get("tags")
    return tags if isinstance(tags, list) else []


def _metadata(holder: dict[str, Any], *names: str) -> dict[str, Any]:
    """A mapping inside a notebook's or cell's metadata; empty if it is missing or not a mapping."""
    found: Any = holder.get("metadata")
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def notebook_hash(notebook: Notebook) -> str:
    """sha256 of the cells' types and sources, without outputs and metadata."""
    cells = [[cell.get("cell_type", ""), source_of(cell)] for cell in notebook["cells"]]
    return hashlib.sha256(json.dumps(cells, ensure_ascii=False).encode()).hexdigest()


def language_of(notebook: Notebook) -> str:
    """Language of its kernel in lower case; Python if not specified."""
    language = _metadata(notebook, "kernelspec").get("language") or _metadata(notebook, "language_info").get("name")
    return str(language or "python").lower()


def inspect(notebook: Notebook, path: str) -> NotebookInfo:
    """What the notebook's content tells; other fields of the record keep their defaults."""
    language = language_of(notebook)
    parameters: list[Parameter] = []
    problem = Message()
    open_names = False
    try:
        parameters = declared(notebook)
        open_names = language != "python" and not parameters
        if parameters_cell(notebook) is None:
            problem = Message("No cell is tagged “parameters”; tag the cell that holds them.")
        elif not parameters:
            problem = Message("The parameters cell assigns nothing; write lines such as “alpha = 0.1” in it.")
    except InvalidInputError as error:
        problem = error.message
    code_cells = [cell for cell in notebook["cells"] if cell.get("cell_type") == "code"]
    return NotebookInfo(
        path=path,
        hash=notebook_hash(notebook),
        kernel=str(_metadata(notebook, "kernelspec").get("name") or ""),
        language=language,
        cells=len(code_cells),
        parameters=parameters,
        parameters_cell=parameters_cell(notebook),
        parameters_cells=_parameters_cells(notebook, language),
        problem=problem,
        open_names=open_names,
        saved=_saved(notebook, path),
    )


def declared(notebook: Notebook) -> list[Parameter]:
    """Parameters of the tagged cell; empty if no cell is tagged.

    Raises:
        InvalidInputError: the cell is not valid Python (the message names the line), or a later cell with the same tag
            would overwrite the parameters.
    """
    index = parameters_cell(notebook)
    if index is None:
        return []
    language = language_of(notebook)
    found = read_parameters(source_of(notebook["cells"][index]), language)
    names = {parameter.name for parameter in found}
    for later, cell in enumerate(notebook["cells"][index + 1 :], index + 1):
        if _is_parameters(cell):
            for name in sorted(assigned_names(source_of(cell), language)):
                if name in names or not names:
                    raise InvalidInputError(
                        Message(
                            "Cell {later} is tagged “parameters” too and assigns “{name}”, which would replace the "
                            "value given to it; take the tag or that line away.",
                            later=later + 1,
                            name=name,
                        )
                    )
    return found


def parameters_cell(notebook: Notebook) -> int | None:
    """Index of the first code cell tagged ``parameters``, None if there is none."""
    return next((index for index, cell in enumerate(notebook["cells"]) if _is_parameters(cell)), None)


def _parameters_cells(notebook: Notebook, language: str) -> list[int]:
    """Cells that could be tagged ``parameters``: those that assign names, most literals a line first."""
    literal_share: dict[int, float] = {}
    for index, cell in enumerate(notebook["cells"]):
        source = source_of(cell)
        if cell.get("cell_type") != "code" or is_injected(cell) or not source.strip():
            continue
        try:
            found = read_parameters(source, language)
        except InvalidInputError:
            continue
        if found or language != "python":  # cells of other languages cannot always be read
            literals = sum(parameter.type != "any" for parameter in found)
            literal_share[index] = literals / len(source.split("\n"))
    return sorted(literal_share, key=lambda index: -literal_share[index])


def _is_parameters(cell: dict[str, Any]) -> bool:
    return cell.get("cell_type") == "code" and "parameters" in tags_of(cell)


def is_injected(cell: dict[str, Any]) -> bool:
    """Whether an earlier execution inserted a cell, which a run replaces; see :mod:`..worker.notebook.execute`."""
    return cell.get("cell_type") == "code" and "injected-parameters" in tags_of(cell) and not _is_parameters(cell)


def suggest_metrics(notebook: Notebook) -> list[str]:
    """Variables that a Python notebook assigns at top level and that are named like metrics, last first.

    Parameters are left out.
    """
    if language_of(notebook) != "python":
        return []
    skipped = parameters_cell(notebook)
    names: dict[str, None] = {}
    for index, cell in enumerate(notebook["cells"]):
        if cell.get("cell_type") != "code" or index == skipped:
            continue
        tree = tree_of(source_of(cell))
        for name in (target.id for node in (tree.body if tree else ()) for target in _assigned(node)):
            if _METRIC.search(name.lower()):
                names.pop(name, None)
                names[name] = None
    return list(reversed(names))


def _assigned(node: ast.stmt) -> list[ast.Name]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [name for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]


def _saved(notebook: Notebook, path: str) -> SweepRequest | None:
    kept = _metadata(notebook, "mlops")
    if not kept:
        return None
    # metadata of a newer version, or edited by hand, may yield an empty form; it is not changed
    return without_unknown(decode(kept | {"path": path}, SweepRequest))


def mlflow_usage(notebook: Notebook) -> MlflowUsage:
    """How a notebook uses MLflow, judged by the names it calls; only Python is analysed."""
    if language_of(notebook) != "python":
        return MlflowUsage()
    uses, own, starts = False, False, 0
    for cell in notebook["cells"]:
        if cell.get("cell_type") != "code":
            continue
        source = source_of(cell)
        tree = tree_of(source)
        if tree is None:
            uses = uses or "mlflow" in source
            own = own or any(name in source for name in _MLFLOW_OWN)
            continue
        uses = uses or _imports_mlflow(tree)
        calls = _Calls()
        calls.visit(tree)
        own = own or calls.own
        starts += calls.starts
    return MlflowUsage(uses_mlflow=uses, owns_runs=uses and (own or starts > 1))


def _imports_mlflow(tree: ast.AST) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and any(name.name.split(".")[0] == "mlflow" for name in node.names):
            return True
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mlflow":
            return True
    return False


class _Calls(ast.NodeVisitor):
    """Counts ``start_run`` calls; a call that may be repeated counts twice."""

    def __init__(self) -> None:
        self.own = False
        self.starts = 0
        self._repeated = 0

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in _MLFLOW_OWN:
            self.own = True
        if name == "start_run":
            self.starts += 2 if self._repeated else 1
        self.generic_visit(node)

    def _again(self, node: ast.AST) -> None:
        self._repeated += 1
        self.generic_visit(node)
        self._repeated -= 1

    visit_For = visit_While = visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _again
    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _again
