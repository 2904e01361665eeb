"""Which cells of a notebook a sweep may share: read from its source, and never one too many."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_notebook import cell, notebook, parameters

from jupyter_mlops.core.notebook.shared_cells import shared_prefix
from jupyter_mlops.core.sweeps import PrefixCheck

PARAMETERS = "alpha = 0.1\nbeta = alpha * 2\nfixed = 3"
EXAMPLES = Path(__file__).parent.parent / "examples"


def check(*cells: str | dict[str, Any], varied: tuple[str, ...] = ("alpha",), **metadata: Any) -> PrefixCheck:
    made = [cell(source) if isinstance(source, str) else source for source in cells]
    return shared_prefix(notebook(*made, **metadata), varied)


def why_not(source: str, **metadata: Any) -> str:
    """Why one cell behind the parameters cell cannot be shared; empty where it can."""
    found = check(parameters(PARAMETERS), cell(source, **metadata), "last = 1")
    assert found.end in (1, 2)
    assert found.end == 2 or found.reason.startswith("Code cell 2 (“"), found.reason
    return "" if found.end == 2 else found.reason


# -- where it ends -----------------------------------------------------------------------------


def test_it_ends_at_the_first_cell_that_uses_a_varied_parameter() -> None:
    found = check(
        cell("# Title", "markdown"),
        "import numpy as np",
        parameters(PARAMETERS),
        cell("some *alpha*", "markdown"),
        "\n\ndata = np.arange(fixed)\nmore = 1",
        "model = fit(data, alpha)",
        "score = model.score",
    )
    assert found.end == 5
    assert found.cells == ["import numpy as np", "alpha = 0.1", "data = np.arange(fixed)"]
    assert found.reason == "Code cell 4 (“model = fit(data, alpha)”) uses alpha, which this sweep varies."


def test_only_the_varied_parameters_count() -> None:
    cells = [parameters("a = 1\nb = 2"), "x = a", "y = b", "z = 1"]
    assert check(*cells, varied=("a",)).end == 1
    assert check(*cells, varied=("b",)).end == 2
    assert check(*cells, varied=("a", "b")).end == 1


@pytest.mark.parametrize(
    ("varied", "reason"),
    [
        (("alpha",), "No cell uses what this sweep varies; the last one is left to each run."),
        ((), "This sweep varies nothing; the last one is left to each run."),
    ],
)
def test_the_last_code_cell_is_left_to_each_run(varied: tuple[str, ...], reason: str) -> None:
    found = check(parameters("alpha = 1"), "x = 1", "y = 2", cell("end", "markdown"), "", varied=varied)
    assert (found.end, found.cells, found.reason) == (2, ["alpha = 1", "x = 1"], reason)


def test_the_parameters_cell_alone_may_be_shared_and_alone_leaves_nothing() -> None:
    assert check(parameters("alpha = 1"), "alpha").end == 1
    assert check(cell("x", "markdown"), parameters("alpha = 1")).end == 0


def test_a_cell_before_the_parameters_cell_counts_too() -> None:
    assert check("x = 1", "def f(): return alpha", parameters("alpha = 1"), "y = 1").end == 1
    assert check(cell("x", "markdown"), "alpha = 2", parameters("alpha = 1"), "y = 1").end == 0
    assert check("x = 1", "!ls", parameters("alpha = 1"), "y = 1").end == 1


def test_an_opaque_parameters_cell_is_left_to_each_run() -> None:
    assert check("x = 1", parameters("alpha = 1\nexec('beta = 2')"), "y = 1").end == 1


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (notebook(cell("alpha = 1"), cell("x = 1")), "No cell is tagged “parameters”"),
        (notebook(parameters("beta = 1"), cell("x = 1")), "The parameters cell does not assign alpha"),
        (notebook(parameters("alpha = ("), cell("x = 1")), "The parameters cell is not valid Python (line 1"),
        (notebook(parameters("alpha <- 1"), cell("x <- 1"), language="R"), "Only Python notebooks can share cells."),
        (notebook(parameters("alpha = 1")), "No cell uses what this sweep varies; the last one is left to each run."),
        (notebook(), "No cell is tagged “parameters”"),
    ],
)
def test_nothing_can_be_shared_and_why(made: dict[str, Any], reason: str) -> None:
    found = shared_prefix(made, ["alpha"])
    assert (found.end, found.cells) == (0, [])
    assert found.reason.startswith(reason)


def test_cells_that_are_not_executed_do_not_count() -> None:
    found = check(
        parameters("alpha = 1"),
        cell("alpha", tags=["skip-execution"]),
        cell("alpha", "raw"),
        "  \n",
        "x = 1",
        "print(alpha)",
    )
    assert (found.end, found.cells) == (5, ["alpha = 1", "x = 1"])
    # numbered as a person counts them
    assert found.reason.startswith("Code cell 5 ")


def test_a_cell_that_may_fail_is_left_to_each_run() -> None:
    assert "may fail half-way" in why_not("x = 1", tags=["raises-exception"])


@pytest.mark.parametrize("content", ["# Parameters\nalpha = 5", "# Parameters\nfixed = 5", ""])
def test_a_cell_that_an_earlier_execution_put_in_does_not_count_because_each_run_drops_it(content: str) -> None:
    found = check(parameters(PARAMETERS), "x = 1", cell(content, tags=["injected-parameters"]), "y = 1", "z = 1")
    assert found.end == 4
    assert found.cells == ["alpha = 0.1", "x = 1", "y = 1"]


def test_long_lines_are_cut_in_the_sentence() -> None:
    found = check(parameters("alpha = 1"), "x = " + "1 + " * 100 + "alpha")
    assert "…”) uses alpha" in found.reason
    assert len(found.reason) < 140


@pytest.mark.parametrize(("varied", "end"), [("max_depth", 10), ("known", 9)])
def test_the_example_shares_its_data(varied: str, end: int) -> None:
    made = json.loads((EXAMPLES / "flights" / "train.ipynb").read_text())
    found = shared_prefix(made, [varied])
    assert found.end == end
    assert f"uses {varied}, which this sweep varies" in found.reason


# -- the use of a varied parameter -------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "x = alpha",
        "alpha = 2",
        "alpha += 1",
        "alpha: int = 2",
        "del alpha",
        "(alpha := 2)",
        "x = [1, *alpha]",
        "x.y[alpha] = 1",
        "alpha.append(1)",
        "alpha[0] = 1",
        "f(alpha=alpha)",
        "f'{alpha:.2f}'",
        "f'{1:{alpha}}'",
        "def f():\n    return alpha",
        "def f():\n    global alpha\n    x = 1",
        "def f(alpha): return alpha",
        "def f(x=alpha): return x",
        "def f(*alpha): pass",
        "def alpha(): pass",
        "class alpha: pass",
        "class A:\n    def f(self):\n        return alpha",
        "async def f():\n    return alpha",
        "f = lambda: alpha",
        "x = [alpha for _ in range(3)]",
        "x = [1 for alpha in range(3)]",
        "x = {k: v for k, v in y if alpha}",
        "for alpha in range(3): pass",
        "with f() as alpha: pass",
        "try:\n    pass\nexcept ValueError as alpha:\n    pass",
        "match x:\n    case {'a': alpha}:\n        pass",
        "match x:\n    case [*alpha]:\n        pass",
        "match x:\n    case {'a': 1, **alpha}:\n        pass",
        "match x:\n    case alpha:\n        pass",
        "import alpha",
        "import alpha.beta",
        "import x as alpha",
        "from x import alpha",
        "from x import y as alpha",
        "x: alpha = 1",
        "@alpha\ndef f(): pass",
        "assert alpha",
        "if False:\n    alpha",
        "%time alpha",
        "%time f(alpha)",
        "%time f($alpha)",
        "%time print('{alpha}')",
        "%%time\nalpha",
        "df.query('depth > @alpha')",
        "q = 'depth > @alpha'",
        "pd.eval('alpha + 1')",
        "df.eval('c = a * alpha')",
        "duckdb.sql('select * from alpha')",
        "smf.ols('y ~ alpha', df)",
        "smf.ols(formula='y ~ alpha', data=df)",
        "import numexpr\nnumexpr.evaluate('2 * alpha')",
    ],
)
def test_a_cell_that_names_a_varied_parameter_uses_it(source: str) -> None:
    assert "uses alpha, which this sweep varies" in why_not(source)


@pytest.mark.parametrize(
    "source",
    [
        "x.alpha = 1",
        "f(alpha=1)",
        "print('alpha')",
        "df['alpha'] = fixed",
        "from alpha import x",
        "import x.alpha",
        "# alpha",
        "alphabet = 1",
        "df.query('depth > @gamma')",
        "match x:\n    case A(alpha=1):\n        pass",
    ],
)
def test_what_only_looks_like_it_does_not_use_it(source: str) -> None:
    assert why_not(source) == ""


@pytest.mark.parametrize(
    ("declared", "tainted"),
    [
        ("beta = alpha * 2", "beta"),
        ("beta = alpha * 2\ngamma = f(beta)", "gamma"),
        ("gamma = beta\nbeta = alpha", "beta"),
        ("beta = [alpha]", "beta"),
        ("beta = {}\nbeta['a'] = alpha", "beta"),
        ("beta = A()\nbeta.x.y = alpha", "beta"),
        ("beta = []\nbeta.append(alpha)", "beta"),
        ("beta = 1\nif alpha > 1:\n    beta = 2", "beta"),
        ("def beta(): return alpha", "beta"),
        ("class beta(f(alpha)): pass", "beta"),
        ("beta = lambda: alpha", "beta"),
        ("beta, gamma = alpha, 1", "gamma"),
        ("beta: float = alpha", "beta"),
        ("beta = 1\nbeta += alpha", "beta"),
        ("for beta in range(alpha): pass", "beta"),
        ("import numpy as np\nbeta = np.sqrt(alpha)", "beta"),
        ("beta = f'{alpha}'", "beta"),
        ("beta = alpha", "beta"),
    ],
)
def test_what_the_parameters_cell_computes_from_it_counts_as_it(declared: str, tainted: str) -> None:
    found = check(parameters(f"alpha = 1\n{declared}"), f"x = {tainted}", "y = 1", "z = 1")
    assert found.end == 1
    assert f"uses {tainted}, which depends on alpha, which this sweep varies" in found.reason


def test_what_it_computes_from_others_does_not_count() -> None:
    found = check(
        parameters("import numpy as np\nalpha = 1\nother = np.sqrt(2)\nprint(alpha)\nbeta = np.sqrt(alpha)"),
        "x = np.sqrt(other)",
        "print(x)",
        "y = 1",
    )
    assert found.end == 3


# -- what cannot be shared whichever parameter it uses -----------------------------------------


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        # not to be seen through
        ("x = (", "is not Python that can be read"),
        ("cd ..", "is not Python that can be read"),
        ("d['a'] = !ls", "is not Python that can be read"),
        ("exec('x = 1')", "uses exec, which cannot be seen through"),
        ("e = exec", "uses exec"),
        ("eval('1')", "uses eval"),
        ("compile('1', '', 'eval')", "uses compile"),
        ("globals()", "uses globals"),
        ("locals()", "uses locals"),
        ("vars()", "uses vars"),
        ("dir()", "uses dir"),
        ("__import__('x')", "uses __import__"),
        ("import importlib\nimportlib.import_module('x')", "uses importlib.import_module"),
        ("from importlib import import_module as i\ni('x')", "uses importlib.import_module"),
        ("get_ipython().x", "uses get_ipython"),
        ("from IPython import get_ipython as g\ng()", "uses IPython.get_ipython"),
        ("import __main__", "imports __main__"),
        ("from __main__ import x", "imports names of __main__"),
        ("import sys\nsys.modules['__main__']", "uses sys.modules"),
        ("import sys\nsys._getframe()", "uses sys._getframe"),
        ("import sys\ngetattr(sys, 'mod' + 'ules')", "uses sys"),
        ("import builtins\nsetattr(builtins, 'x', 1)", "uses builtins"),
        ("import builtins as b\nb.exec('1')", "uses builtins.exec"),
        ("__builtins__['exec']", "uses __builtins__"),
        ("import inspect\ninspect.currentframe()", "uses inspect.currentframe"),
        ("import inspect\ninspect.stack()", "uses inspect.stack"),
        ("f.__globals__", "uses f.__globals__"),
        ("try:\n    f()\nexcept E as e:\n    e.__traceback__.tb_frame", "tb_frame"),
        ("import sys\nsys.stdout = None", "changes sys.stdout"),
        ("from numpy import *", "imports every name of numpy"),
        ("df.query(text)", "calls query with a text"),
        ("df.query(expr=text)", "calls query with a text"),
        ("pd.eval(text)", "calls eval with a text"),
        ("await f()", "awaits at top level"),
        ("async with f(): pass", "awaits at top level"),
        ("x = [y async for y in f()]", "awaits at top level"),
        ("def f():\n    exec('1')", "uses exec"),
        ("@exec\ndef f(): pass", "uses exec"),
        # the history
        ("x = _", "uses _, the history"),
        ("x = _1", "uses _1, the history"),
        ("x = _i", "uses _i, the history"),
        ("x = _i3", "uses _i3, the history"),
        ("x = _ih[1]", "uses _ih, the history"),
        ("x = _oh", "uses _oh, the history"),
        ("x = In[1]", "uses In, the history"),
        ("x = Out[1]", "uses Out, the history"),
        ("Out = 1", "uses Out, the history"),
        # IPython's own lines
        ("!ls", "holds “!ls”"),
        ("x = !ls", "holds “!ls”"),
        ("%pip install x", "holds “%pip”"),
        ("%who", "holds “%who”"),
        ("%env A=1", "holds “%env”"),
        ("%load_ext x", "holds “%load_ext”"),
        ("%matplotlib widget", "holds “%matplotlib”"),
        ("%run x.py", "holds “%run”"),
        ("x = %time 1", "holds “%time”"),
        ("%time exec('1')", "uses exec"),
        ("%time f(", "is not Python that can be read"),
        ("%time import os as o\no.getpid()", "uses os.getpid"),
        ("%config Application.x = 1", "holds “%config”"),
        ("%%bash\nls", "holds “%%bash”"),
        ("%%capture\nx = 1", "holds “%%capture”"),
        ("%%timeit\nx = 1", "holds “%%timeit”"),
        ("%%time\n!ls", "holds “!ls”"),
        ("str?", "holds “str?”"),
        # what belongs to one run
        ("import os\nos.environ['MLOPS_RUN_DIR']", "names MLOPS_RUN_DIR, which differs between runs"),
        ("x = 'a MLFLOW_RUN_ID'", "names MLFLOW_RUN_ID"),
        ("import os\nos.getenv(b'MLOPS_RUN_ID')", "names MLOPS_RUN_ID"),
        ("import os\nx = dict(os.environ)", "reads environment variables that cannot be told"),
        ("import os\nos.environ['MLO' + 'PS']", "reads environment variables that cannot be told"),
        ("import os\nos.environ.get(name)", "reads environment variables that cannot be told"),
        ("from os import getenv as g\ng(name)", "reads environment variables that cannot be told"),
        ("from os import environ\nenviron.items()", "reads environment variables that cannot be told"),
        ("import os\nos.getpid()", "uses os.getpid, which would be the same in all runs"),
        ("from os import getpid", ""),
        ("from os import getpid\ngetpid()", "uses os.getpid"),
        ("import uuid\nuuid.uuid4()", "uses uuid.uuid4"),
        ("import secrets\nsecrets.token_hex()", "uses secrets.token_hex"),
        ("import tempfile\ntempfile.mkdtemp()", "uses tempfile.mkdtemp"),
        ("import mlflow\nmlflow.autolog()", "uses MLflow"),
        ("import mlflow as m\nm.log_metric('a', 1)", "uses MLflow"),
        ("from mlflow import log_metric\nlog_metric('a', 1)", "uses MLflow"),
        ("import mlflow.sklearn\nmlflow.sklearn.autolog()", "uses MLflow"),
        # what a fork does not take along
        ("import threading\nthreading.Thread(target=f).start()", "may start threads or processes (threading.Thread)"),
        ("from threading import Timer\nTimer(1, f)", "may start threads or processes (threading.Timer)"),
        ("import multiprocessing as mp\nmp.Pool(2)", "may start threads or processes (multiprocessing.Pool)"),
        ("import subprocess\nsubprocess.run(['ls'])", "may start threads or processes (subprocess.run)"),
        ("from concurrent.futures import ThreadPoolExecutor as T\nT()", "may start threads or processes (concurrent"),
        ("from joblib import Parallel, delayed\nParallel(2)(x)", "may start threads or processes (joblib.Parallel)"),
        ("import asyncio\nasyncio.create_task(f())", "may start threads or processes (asyncio.create_task)"),
        ("import os\nos.fork()", "may start threads or processes (os.fork)"),
        ("import os\nos.system('ls')", "may start threads or processes (os.system)"),
        ("from dask.distributed import Client\nClient()", "may start threads or processes (dask.distributed.Client)"),
        ("import socket\nsocket.create_connection(a)", "opens a connection (socket.create_connection)"),
        ("import sqlite3\nc = sqlite3.connect('x')", "opens a connection (sqlite3.connect)"),
        ("f = open('x')", "leaves a file open (open)"),
        ("f = Path('x').open()", "leaves a file open (open)"),
        ("import h5py\nf = h5py.File('x')", "leaves a file open (h5py.File)"),
        # people, ends, displays
        ("input('?')", "asks a person (input)"),
        ("import getpass\ngetpass.getpass()", "asks a person (getpass.getpass)"),
        ("exit()", "may end the notebook (exit)"),
        ("import sys\nsys.exit()", "may end the notebook (sys.exit)"),
        ("import os\nos._exit(1)", "may end the notebook (os._exit)"),
        ("import ipywidgets as w\nw.IntSlider()", "uses ipywidgets.IntSlider, whose display later cells may change"),
        ("from tqdm.auto import tqdm\nfor x in tqdm([1]): pass", "uses tqdm.auto.tqdm"),
        ("display(x, display_id=True)", "shows something that later cells may change"),
    ],
)
def test_what_keeps_a_cell_from_being_shared(source: str, reason: str) -> None:
    found = why_not(source)
    assert reason in found
    assert bool(found) == bool(reason)


def test_names_are_seen_through_over_cells() -> None:
    found = check(
        parameters("alpha = 1"), "import os as o", "def f(): return p.Pool()", "f()", "import multiprocessing as p"
    )
    assert found.end == 2
    assert "multiprocessing.Pool" in found.reason


@pytest.mark.parametrize(
    "source",
    [
        "",
        "import mlflow, threading, subprocess, uuid, socket, ipywidgets",
        "from mlflow import log_metric",
        "import pandas as pd\ndf = pd.read_csv('x.csv')\ndf['a'] = df.groupby('b')['c'].transform('mean')",
        "import os\nos.environ['CUDA_VISIBLE_DEVICES'] = '0'\nos.environ.get('HOME', '')\n'A' in os.environ",
        "import os\nos.getenv('HOME')\nos.makedirs('x', exist_ok=True)",
        "import sys\nsys.path.append('x')\nprint(sys.version, file=sys.stderr)",
        "import importlib.util\nimportlib.util.find_spec('x')",
        "import platform\nplatform.system()",
        "import re\nre.compile('x')",
        "with open('x') as f:\n    text = f.read()",
        "import json\nx = json.load(open('x'))",
        "model.eval()\nmodel.evaluate(X, y)",
        "for _ in range(3): pass",
        "a, _ = f()",
        "signal = 1\nsecrets = signal",
        "import numpy as np\nnp.random.seed(0)\nx = np.random.rand(fixed)",
        "async def f():\n    await g()",
        "x = lambda y: y",
        "if __name__ == '__main__':\n    x = 1",
        "import joblib\nx = joblib.load('x')",
        "import warnings\nwarnings.filterwarnings('ignore')",
        "from IPython.display import display, HTML\ndisplay(HTML('x'))",
        "from tqdm import tqdm\nfor x in tqdm([1]): pass",
        "%matplotlib inline",
        "%config InlineBackend.figure_format = 'retina'",
        "%time x = f(fixed)",
        "%%time\nx = f(fixed)",
        "df.query('depth > 3')\ndf.eval('c = a + b')",
        "@dataclass\nclass A:\n    x: int = 1",
    ],
)
def test_what_gives_the_same_in_all_runs_is_shared(source: str) -> None:
    found = check(parameters(PARAMETERS), source, "last = 1") if source else check(parameters(PARAMETERS), "x = 1", "1")
    assert found.end == 2, found.reason
