"""Which imports of a notebook may be done before its kernel is forked: read from its cells alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlops.core.notebook.python_source import Command, commands
from jupyter_mlops.worker.fork.imports import warm_imports

LAST = "import last"


def found(folder: Path, *cells: str) -> list[str]:
    return warm_imports(list(cells), folder)


def goes_on(folder: Path, cell: str) -> bool:
    """Whether an import behind a cell's content may be done early: in the same cell and in the next."""
    behind = LAST in found(folder, cell, LAST)
    if not cell.startswith("%%"):
        assert (LAST in found(folder, f"{cell}\n{LAST}")) == behind
    return behind


# -- what is found -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([], []),
        ([""], []),
        (["import numpy"], ["import numpy"]),
        (["import numpy as np, pandas as pd"], ["import numpy as np", "import pandas as pd"]),
        (["import a.b.c", "import a.b as d"], ["import a.b.c", "import a.b as d"]),
        (["from sklearn import svm, tree as t"], ["from sklearn import svm, tree as t"]),
        (["from a import (b,\n  c)  # why"], ["from a import b, c"]),
        (["from a import *"], ["from a import *"]),
        (["import b", "import a", "import b"], ["import b", "import a"]),
        (["import b; import a"], ["import b", "import a"]),
        (["from __future__ import annotations\nimport a"], ["import a"]),
        (["from . import x\nfrom ..y import z\nimport a"], ["import a"]),
        (["%matplotlib inline\nimport a"], ["import a"]),
        (["%%time\nimport a"], ["import a"]),
        (["\n%%capture out\nimport a\n%time 1", "import b"], ["import a", "import b"]),
        (["?str\nimport a\nlen?", "import b"], ["import a", "import b"]),
        (["import os, sys, importlib"], ["import os", "import sys", "import importlib"]),
        (["from os import path\nfrom os.path import join"], ["from os import path", "from os.path import join"]),
    ],
)
def test_imports_at_top_level_are_found_in_order_without_doubles(
    tmp_path: Path, cells: list[str], expected: list[str]
) -> None:
    assert found(tmp_path, *cells) == expected


@pytest.mark.parametrize(
    "cell",
    [
        "try:\n    import inner\nexcept ImportError:\n    pass",
        "if True:\n    import inner",
        "with open('x') as f:\n    import inner",
        "def f():\n    import inner",
        "class A:\n    import inner",
        "for i in []:\n    import inner",
    ],
)
def test_imports_inside_a_block_are_the_notebooks_own(tmp_path: Path, cell: str) -> None:
    assert found(tmp_path, cell, LAST) == [LAST]


# -- what ends it ------------------------------------------------------------------------------

TOUCHING = [
    "import os\nos.environ['A'] = '1'",
    "import os\nos.environ.setdefault('A', '1')",
    "import os as o\no.environ",
    "import os as o, sys as s\ns.path.insert(0, 'x')",
    "from os import environ\nenviron['A'] = '1'",
    "from os import environ as e",
    "from os import *",
    "from os import putenv",
    "import os\nos.putenv('A', '1')",
    "import os\nos.unsetenv('A')",
    "import os\ne = os\ne.getcwd()",
    "import os\nf(os)",
    "import os\ngetattr(os, 'envi' + 'ron')",
    "import os\na, b = 1, os",
    "import os\nos.chdir('/')",
    "import os\nos.system('pip install x')",
    "import os\nos.fork()",
    "import shutil\nshutil.os.environ",
    "import shutil\nx = shutil.os\nx.getcwd()",
    "import posix\nposix.environ",
    "import contextlib\ncontextlib.chdir('/')",
    "import sys\nsys.path.append('x')",
    "import sys\nprint(sys.path)",
    "import sys\ndel sys.modules['json']",
    "import sys\nsys.meta_path",
    "import sys\nsys.path_hooks",
    "import sys\nsys.argv = []",
    "import sys\nsys.dont_write_bytecode = True",
    "import sys\n(sys).path",
    "from sys import path",
    "from sys import modules as m",
    "import site\nsite.addsitedir('x')",
    "from site import addsitedir",
    "import importlib\nimportlib.reload(x)",
    "import importlib as i\nmod = i.import_module('x')",
    "from importlib import reload",
    "import importlib.util as u\nf(u)",
    "from importlib import import_module",
    "import importlib.util\nimportlib.util.spec_from_file_location('a', 'b')",
    "__import__('x')",
    "exec('x = 1')",
    "eval('1')",
    "e = exec\ne('1')",
    "globals()['os'].environ",
    "__builtins__.open",
    "import builtins\nbuiltins.__import__",
    "import runpy\nrunpy.run_path('x')",
    "import warnings\nwarnings.filterwarnings('ignore')",
    "import warnings as w\nw.simplefilter('ignore')",
    "from warnings import filterwarnings",
    "import warnings\nwith warnings.catch_warnings():\n    pass",
    "import locale\nlocale.setlocale(locale.LC_ALL, 'C')",
    "import logging\nlogging.basicConfig(level=10)",
    "import logging\nlogging.getLogger('x').setLevel(10)",
    "import matplotlib\nmatplotlib.use('Agg')",
    "import matplotlib as mpl\nmpl.use('Agg')",
    "import matplotlib as mpl\nm = mpl\nm.use('Agg')",
    "from matplotlib import use",
    "import matplotlib.pyplot as plt\nplt.rcParams['figure.dpi'] = 50",
    "import matplotlib.pyplot as plt\nplt.switch_backend('agg')",
    "from dotenv import load_dotenv\nload_dotenv()",
    "import dotenv\ndotenv.load_dotenv()",
    "load_dotenv()",
    "import subprocess\nsubprocess.run(['pip', 'install', 'x'])",
    "from subprocess import run",
    "from sklearnex import patch_sklearn\npatch_sklearn()",
    "get_ipython().run_line_magic('cd', '/')",
    "from IPython import get_ipython",
    # anywhere in a statement, whether it is executed or not
    "import os\ndef f():\n    return os.environ",
    "def f():\n    return o.chdir('/')\nimport os as o",
    "import os\nf = lambda: os.environ",
    "import os\nx = [os.environ for _ in range(3)]",
    "import os\nprint(f'{os.environ}')",
    "import os\nif False:\n    os.environ['A'] = '1'",
    "import os\n@d(os.environ)\ndef f(): pass",
    "import os\ndef f(x=os.environ): pass",
    "def f():\n    import os as o\n    o.chdir('/')",
    "if (o := os): o.chdir('/')",
    # IPython's own lines
    "!pip install x",
    "!ls",
    "files = !ls",
    "!!ls",
    "%pip install x",
    "%conda install x",
    "%env A=1",
    "%set_env A 1",
    "x = %env A",
    "%load_dotenv",
    "%dotenv",
    "%cd ..",
    "%load_ext cudf.pandas",
    "%autoreload 2",
    "%run other.ipynb",
    "%pylab",
    "%config Application.verbose_crash = True",
    "%time import os",
    "%time os.environ['A'] = '1'",
    "%time f(",
    "%timeit -n 1 exec('1')",
    "%prun -s cumulative f()",
    "if True:\n    !ls",
    "%%bash\npip install x",
    "%%sh\nls",
    "%%writefile helper.py\nx = 1",
    "%%script python\nx = 1",
    "%%time\nimport os\nos.environ['A'] = '1'",
    "%%timeit os.environ['A'] = '1'\n1",
    "%%time\n%%bash\nls",
    "%%time\n!ls",
    # not to be read
    "x = (",
    "cd ..",
    ">>> x = 1",
    "x = '\0'",
    "d['a'] = !ls",
    "(" * 500 + ")" * 500,
]


@pytest.mark.parametrize("cell", TOUCHING)
def test_nothing_behind_what_may_change_an_import_is_done_early(tmp_path: Path, cell: str) -> None:
    assert not goes_on(tmp_path, cell)


def test_what_stands_before_it_is_done_early(tmp_path: Path) -> None:
    assert found(tmp_path, "import a", "import b\nimport os\nos.environ['A'] = '1'\nimport c", "import d") == [
        "import a",
        "import b",
        "import os",
    ]
    assert found(tmp_path, "import a\n!pip install b\nimport b") == ["import a"]
    assert found(tmp_path, "import a\nif x:\n    !pip install b\nimport b") == ["import a"]


@pytest.mark.parametrize(
    "cell",
    [
        "x = 1",
        "print('os.environ', 'sys.path')",
        "# os.environ\n'''\n%env A=1\n!pip install x\n'''",
        "import numpy as np\nnp.random.seed(0)",
        "import random\nrandom.seed(0)",
        "import torch\ntorch.set_num_threads(1)",
        "import pandas as pd\npd.set_option('display.max_rows', 5)",
        "import os\nprint(os.path.join('a', 'b'), os.getcwd(), os.sep)",
        "import os.path as p\np.exists('x')",
        "import os\nos.makedirs('x', exist_ok=True)",
        "import os\nos.getenv('A')",
        "import sys\nprint(sys.version, sys.version_info >= (3,), file=sys.stderr)",
        "import importlib.util\nimportlib.util.find_spec('x')",
        "from importlib.util import find_spec\nfind_spec('x')",
        "import importlib.metadata\nimportlib.metadata.version('x')",
        "import warnings\nwarnings.warn('x')",
        "import re\nre.compile('x')",
        "model.eval()\nmodel.compile()",
        "self.path = graph.modules",
        "import matplotlib.pyplot as plt\nplt.plot([1])\nplt.show()",
        "f(environ=1, path=2)",
        "class A:\n    def path(self): return 1",
        "def f():\n    global x\n    x = 1",
        "await f()",
        "raise ValueError",
        "%matplotlib inline",
        "%matplotlib",
        "%config InlineBackend.figure_format = 'retina'",
        "%time x = 1",
        "%time",
        "%timeit -n 10 -r 3 f(x)",
        "t = %timeit -o f(x)",
        "%%time\nx = 1",
        "%%timeit y = 1\nx = 1",
        "%%capture out\nx = 1",
        "%%html\n<b>os.environ</b>",
        "%%markdown\n# x",
        "str?",
        "?str.join",
        "%who",
    ],
)
def test_what_leaves_imports_alone_does_not_end_it(tmp_path: Path, cell: str) -> None:
    assert goes_on(tmp_path, cell)


# -- the notebook's own folder -----------------------------------------------------------------


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".py").replace("/init.py", "/__init__.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize(
    "statement",
    ["import helper", "import helper as h", "from helper import f", "from helper import *", "import helper.inner"],
)
def test_a_module_of_the_notebooks_folder_is_never_imported_early(tmp_path: Path, statement: str) -> None:
    write(tmp_path, helper="import numpy\nx = 1")
    assert found(tmp_path, statement, LAST) == [LAST]
    (tmp_path / "helper.py").unlink()
    write(tmp_path, helper__init="import numpy\nx = 1")
    assert found(tmp_path, statement, LAST) == [LAST]
    (tmp_path / "helper" / "__init__.py").unlink()
    assert found(tmp_path, statement, LAST) == [LAST]


def test_one_of_several_names_may_be_local(tmp_path: Path) -> None:
    write(tmp_path, helper="x = 1")
    assert found(tmp_path, "import a, helper, b as c") == ["import a", "import b as c"]


@pytest.mark.parametrize(
    ("statement", "files"),
    [
        ("import helper", {"helper": "import os\nos.environ['A'] = '1'"}),
        ("from helper import f", {"helper": "import os as o\ndef f(): o.chdir('/')"}),
        ("import helper", {"helper": "import inner", "inner": "import sys\nsys.path.append('x')"}),
        ("import helper", {"helper": "def f():\n    from inner import x", "inner": "import sys\nsys.path"}),
        ("import helper", {"helper__init": "import os\nos.environ"}),
        ("import helper.a", {"helper__init": "import os\nos.environ", "helper__a": ""}),
        ("import helper.a", {"helper__init": "", "helper__a": "import os\nos.environ"}),
        ("from helper import a", {"helper__init": "", "helper__a": "import os\nos.environ"}),
        ("from helper.a import f", {"helper__init": "", "helper__a": "import os\nos.environ"}),
        ("import helper", {"helper__init": "from . import a", "helper__a": "import os\nos.environ"}),
        ("import helper", {"helper__init": "from .a import f", "helper__a": "import os\nos.environ"}),
        ("import helper.sub.b", {"helper__a": "eval('1')", "helper__sub__b": "from ..a import f"}),
        ("def f():\n    import helper", {"helper": "import os\nos.environ"}),
        ("import helper", {"helper": "x = ("}),
        ("import helper", {"helper": "import warnings\nwarnings.simplefilter('error')"}),
    ],
)
def test_what_a_local_module_does_counts(tmp_path: Path, statement: str, files: dict[str, str]) -> None:
    assert not goes_on(write(tmp_path, **files), statement)


def test_local_modules_are_read_and_never_executed(tmp_path: Path) -> None:
    write(tmp_path, helper="import other\nopen('made', 'w').close()\n1/0", other="import helper\nfrom . import helper")
    assert goes_on(tmp_path, "import helper")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("name", ["helper.so", "helper.cpython-311-x86_64-linux-gnu.so", "helper.pyc", "helper.pyd"])
def test_a_local_module_that_is_not_source_ends_it(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x7fELF")
    assert not goes_on(tmp_path, "import helper")
    assert goes_on(tmp_path, "import helpers")


def test_a_local_module_that_cannot_be_decoded_ends_it(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_bytes(b"x = '\xff'")
    assert not goes_on(tmp_path, "import helper")
    (tmp_path / "helper.py").write_bytes(b"# coding: latin-1\nx = '\xff'")
    assert goes_on(tmp_path, "import helper")


def test_other_files_of_the_folder_are_no_modules(tmp_path: Path) -> None:
    (tmp_path / "numpy.csv").write_text("1")
    (tmp_path / "numpy.ipynb").write_text("{}")
    assert found(tmp_path, "import numpy") == ["import numpy"]


def test_a_folder_that_is_gone_holds_no_modules(tmp_path: Path) -> None:
    assert found(tmp_path / "gone", "import numpy") == ["import numpy"]


# -- IPython's own lines -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = 1", []),
        ("x = '''\n%env\n'''", []),
        ("x = (10\n% 3)", []),
        ("%env A=1", [Command(1, "env", "A=1")]),
        ("x = 1\n  %time f(x)\n", [Command(2, "time", "f(x)")]),
        ("a, b = %time f(x)", [Command(1, "time", "f(x)", "a, b")]),
        ("!ls -l", [Command(1, "!", "ls -l")]),
        ("x = !ls", [Command(1, "!", "ls", "x")]),
        ("!!ls", [Command(1, "!", "!ls")]),
        ("str?", [Command(1, "?", "str?")]),
        ("??str", [Command(1, "?", "??str")]),
        ("\n%%bash -s 1\nls\n%env", [Command(2, "%%bash", "-s 1")]),
        ("%%time\nx = 1\n!ls", [Command(1, "%%time"), Command(3, "!", "ls")]),
        ("x = 1\n%%bash\nls", [Command(2, "%bash")]),
    ],
)
def test_lines_that_are_ipythons_own(source: str, expected: list[Command]) -> None:
    assert commands(source) == expected


@pytest.mark.parametrize(
    ("command", "python"),
    [
        (Command(1, "time", "f(x)"), "f(x)"),
        (Command(1, "timeit", "-n 10 -r3 f(-x)"), "f(-x)"),
        (Command(1, "timeit", "-o"), ""),
        (Command(1, "%%timeit", "y = 1"), "y = 1"),
        (Command(1, "env", "A=1"), ""),
        (Command(1, "%%capture", "out"), ""),
    ],
)
def test_python_that_such_a_line_runs(command: Command, python: str) -> None:
    assert command.python == python
