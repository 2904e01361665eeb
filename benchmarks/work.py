"""The notebooks that the contenders execute, each with one parameter that its runs differ in."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import nbformat
from common import ROOT, write_notebook

FLIGHTS = ROOT / "examples" / "flights" / "train.ipynb"

_TRIVIAL = ("a = 1", "b = a * 2", "total = sum(range(b))", "score = total / (a + 1)")
# 0.08 s of CPU once its imports are done
_DIGITS = (
    "seed = 1",
    "from sklearn.datasets import load_digits\n"
    "from sklearn.linear_model import LogisticRegression\n"
    "from sklearn.model_selection import train_test_split",
    "images, digits = load_digits(return_X_y=True)\n"
    "train, test, train_digits, test_digits = train_test_split(images, digits, random_state=seed)",
    "model = LogisticRegression(max_iter=1000)\nmodel.fit(train, train_digits);",
    "score = model.score(test, test_digits)",
)
_TORCH = (
    "seed = 1\ndevice = 'cpu'\nrows, width, steps = 2000, 64, 40",
    "import torch",
    "torch.manual_seed(seed)\n"
    "data = torch.randn(rows, 32, device=device)\n"
    "truth = data.square().sum(1, keepdim=True).sqrt()",
    "model = torch.nn.Sequential(torch.nn.Linear(32, width), torch.nn.ReLU(), torch.nn.Linear(width, 1)).to(device)\n"
    "optimizer = torch.optim.Adam(model.parameters(), lr=0.01)\n"
    "for _ in range(steps):\n"
    "    optimizer.zero_grad()\n"
    "    loss = torch.nn.functional.mse_loss(model(data), truth)\n"
    "    loss.backward()\n"
    "    optimizer.step()",
    "score = -float(loss)",
)


@dataclass(frozen=True)
class Work:
    """One notebook.

    Attributes:
        parameter: what its runs differ in.
        metric: read at its end.
        space: the values of so many runs, in the grammar of sweeps.
        values: the same ones.
        own: text of the first cell that every run executes itself where those before it are shared; empty
            where sharing is not tried.
    """

    name: str
    write: Callable[[Path], None]
    parameter: str
    metric: str
    space: Callable[[int], str]
    values: Callable[[int], list[int] | list[float]]
    own: str = ""


def _written(*sources: str) -> Callable[[Path], None]:
    return lambda path: write_notebook(path, *sources)


def _copied(path: Path) -> None:
    path.write_bytes(FLIGHTS.read_bytes())


def _counted(count: int) -> list[int]:
    return list(range(1, count + 1))


def _rates(count: int) -> list[float]:
    return [0.01 * 30 ** (i / (count - 1)) for i in range(count)]


def _whole(name: str, parameter: str, *sources: str) -> Work:
    return Work(name, _written(*sources), parameter, "score", lambda count: f"1:{count}", _counted)


TRIVIAL = _whole("trivial", "a", *_TRIVIAL)
WORKS = {
    work.name: work
    for work in (
        TRIVIAL,
        _whole("digits", "seed", *_DIGITS),
        Work(
            "flights",
            _copied,
            "learning_rate",
            "auc",
            lambda count: f"log:0.01:0.3:{count}",
            _rates,
            own="model = HistGradientBoostingClassifier(",
        ),
        *([_whole("torch", "seed", *_TORCH)] if find_spec("torch") else []),
    )
}


def on_device(rows: int, width: int, steps: int) -> Work:
    """The torch notebook on a CUDA device, with more to do."""
    sources = list(_TORCH)
    sources[0] = f"seed = 1\ndevice = 'cuda'\nrows, width, steps = {rows}, {width}, {steps}"
    return _whole("torch on a device", "seed", *sources)


@dataclass(frozen=True)
class Cells:
    """A notebook's code, cut where a floor forks.

    Attributes:
        imports: statements that import something at top level.
        before: cells that are executed once; the parameters' defaults among them.
        after: cells that each run executes; ``None`` stands for the assignment of its own value.
    """

    imports: str
    before: list[str]
    after: list[str | None]


def cells_of(path: Path, own: str = "") -> Cells:
    """Read a notebook.

    Args:
        own: text of the first cell that each run executes; empty: each run executes all.
    """
    code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    sources: list[str | None] = [cell.source for cell in code]
    statements = [
        ast.unparse(statement)
        for source in sources
        for statement in ast.parse(source or "").body
        if isinstance(statement, ast.Import | ast.ImportFrom)
    ]
    parameters = next(i for i, cell in enumerate(code) if "parameters" in cell.metadata.get("tags", ()))
    start = next(i for i, source in enumerate(sources) if own in (source or "")) if own else 0
    if parameters < start:
        # what is shared holds the defaults; each run begins with its own value
        before, after = sources[:start], [None, *sources[start:]]
    else:
        before, after = sources[:start], sources[start:]
        after.insert(parameters - start + 1, None)
    return Cells("\n".join(statements), [source for source in before if source], after)
