"""Which files of a project a notebook reads as code."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jupyter_mlops.core.code.files import CodeFiles, code_files, import_folders


def notebook(*sources: str, language: str = "python") -> str:
    cells = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": source} for source in sources]
    kernelspec = {"name": language, "language": language, "display_name": language}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernelspec}, "cells": cells})


def found_in(files: dict[str, str], *notebooks: str) -> CodeFiles:
    return code_files(list(notebooks or ["train.ipynb"]), files.get)


def found(cells: str | list[str], names: str, *, at: str = "train.ipynb", **more: Any) -> set[str]:
    """Files beside the notebook that a notebook of these cells reads, of those named (all empty)."""
    files = dict.fromkeys(names.split(), "") | more
    files[at] = notebook(*([cells] if isinstance(cells, str) else cells))
    return set(found_in(files, at).files) - {at}


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("import helpers", "helpers.py"),
        ("import helpers as h, other", "helpers.py other.py"),
        ("from pkg import part", "pkg/__init__.py pkg/part.py"),
        ("from pkg.sub.deep import name", "pkg/__init__.py pkg/sub/__init__.py pkg/sub/deep.py"),
        ("import space.inner", "space/inner.py"),
        ("def f():\n    import helpers", "helpers.py"),
        ("%load_ext autoreload\n%autoreload 2\nfrom helpers import *", "helpers.py"),
        ("%%time\nimport helpers", "helpers.py"),
        ("%time import helpers", "helpers.py"),
        ("%load_ext helpers", "helpers.py"),
        ("%run helpers.py --fast", "helpers.py"),
        ("%run -i -N 3 helpers", "helpers.py"),
        ("%run -m pkg.part", "pkg/__init__.py pkg/part.py"),
        ("get_ipython().run_line_magic('run', 'helpers.py')", "helpers.py"),
        ("%load helpers.py", "helpers.py"),
        ("%%script bash setup.sh\necho", "setup.sh"),
        ("%%bash\nset -e\nsource setup.sh && python other.py", "setup.sh other.py"),
        ("%%bash\n. ./setup.sh", "setup.sh"),
        ("!python -m pkg.part", "pkg/__init__.py pkg/part.py"),
        ("!python other.py > log.txt", "other.py"),
        ("out = !bash setup.sh", "setup.sh"),
        ("%%R\nsource('fit.R')", "fit.R"),
        ("import runpy\nrunpy.run_path('other.py')", "other.py"),
        ("exec(open('other.py').read())", "other.py"),
        ("import importlib\nimportlib.import_module('helpers')", "helpers.py"),
        ("import importlib\nimportlib.import_module('.part', 'pkg')", "pkg/__init__.py pkg/part.py"),
        ("import subprocess, sys\nsubprocess.run([sys.executable, '-m', 'pkg.part'])", "pkg/__init__.py pkg/part.py"),
        ("import os\nos.system('bash setup.sh')", "setup.sh"),
        ("text = open('sql/query.sql').read()", "sql/query.sql"),
        ("from pathlib import Path\ntext = (Path('sql') / 'query.sql').read_text()", "sql/query.sql"),
        ("import os\nDIR = 'sql'\ntext = open(os.path.join(DIR, 'query.sql'))", "sql/query.sql"),
        ("DIR = 'sql'\ntext = open(f'{DIR}/query.sql')", "sql/query.sql"),
        ("from pathlib import Path\ntext = (Path.cwd() / 'sql' / 'query.sql').read_text()", "sql/query.sql"),
        ("env.get_template('report.j2')", "report.j2"),
        ("import papermill\npapermill.execute_notebook('other.ipynb', 'out.ipynb')", "other.ipynb"),
        ("!papermill other.ipynb out.ipynb", "other.ipynb"),
        ("%run other.ipynb", "other.ipynb"),
        ("this is (not python\nimport helpers\nopen('sql/query.sql')", "helpers.py sql/query.sql"),
        ("open('data.csv'); import numpy, json", ""),
        ("%%writefile helpers.py\nx = 1", ""),
        ("open('helpers.py', 'w').write('x = 1')\nimport helpers", ""),
    ],
)
def test_what_a_cell_names_is_found(cell: str, expected: str) -> None:
    names = (
        "helpers.py other.py setup.sh fit.R sql/query.sql report.j2 data.csv pkg/__init__.py pkg/part.py "
        "pkg/sub/__init__.py pkg/sub/deep.py pkg/unused.py space/inner.py unused.py"
    )
    assert found(cell, names, **{"other.ipynb": notebook(), "out.ipynb": notebook()}) == set(expected.split())


def test_modules_are_followed_with_the_packages_they_lie_in() -> None:
    files = {
        "train.ipynb": notebook("from pkg import first"),
        "pkg/__init__.py": "from .base import Base",
        "pkg/base.py": "from . import second",
        "pkg/first.py": "import importlib\nfrom pathlib import Path\nSQL = Path(__file__).parent / 'sql' / 'a.sql'",
        "pkg/second.py": "from .lib import *\nimport pkg.first",
        "pkg/lib/__init__.py": "__all__ = ['one', 'two']",
        "pkg/lib/one.py": "",
        "pkg/lib/two.py": "def broken(:",
        "pkg/lib/three.py": "",
        "pkg/sql/a.sql": "select 1",
        "sql/a.sql": "select 2",
    }
    result = found_in(files)
    assert set(result.files) == set(files) - {"pkg/lib/three.py", "sql/a.sql"}
    assert result.unfollowed == []


def test_a_notebook_in_a_subfolder_finds_what_it_makes_reachable() -> None:
    files = {
        "notebooks/a.ipynb": notebook("import sys\nsys.path.insert(0, '..')", "import lib.tools, near"),
        "notebooks/b.ipynb": notebook("%cd ..", "%run scripts/go.py"),
        "notebooks/c.ipynb": notebook("from installed import x"),
        "notebooks/d.ipynb": notebook("from pathlib import Path\nROOT = Path().resolve().parent\nopen(ROOT / 'x.sql')"),
        "notebooks/near.py": "",
        "lib/tools.py": "",
        "scripts/go.py": "import beside",
        "scripts/beside.py": "",
        "src/installed/__init__.py": "",
        "x.sql": "",
        "json.py": "",
    }
    assert set(found_in(files, "notebooks/a.ipynb").files) == {"notebooks/a.ipynb", "lib/tools.py", "notebooks/near.py"}
    assert set(found_in(files, "notebooks/b.ipynb").files) == {
        "notebooks/b.ipynb",
        "scripts/go.py",
        "scripts/beside.py",
    }
    assert "src/installed/__init__.py" in found_in(files, "notebooks/c.ipynb").files
    assert "x.sql" in found_in(files, "notebooks/d.ipynb").files
    everything = found_in(files, *(path for path in files if path.endswith(".ipynb")))
    assert set(everything.files) == set(files) - {"json.py"} and everything.unfollowed == []


def test_sub_notebooks_and_other_languages_are_followed() -> None:
    files = {
        "train.ipynb": notebook("%run sub/prepare.ipynb\n!Rscript fit.R"),
        "sub/prepare.ipynb": notebook("import beside_it"),
        "sub/beside_it.py": "",
        "fit.R": "source('lib/common.R')\ninclude('x.jl')",
        "lib/common.R": "",
        "bash.ipynb": notebook("source ./run.sh\ncd tools", "./one.sh", language="bash"),
        "run.sh": '. "$(dirname "$0")/lib/common.sh"\ncat > made.sh <<EOF\nEOF\nbash made.sh',
        "lib/common.sh": "",
        "made.sh": "",
        "tools/one.sh": "",
        "r.ipynb": notebook("source('fit.R')", language="R"),
    }
    assert set(found_in(files).files) == {
        "train.ipynb",
        "sub/prepare.ipynb",
        "sub/beside_it.py",
        "fit.R",
        "lib/common.R",
    }
    assert set(found_in(files, "bash.ipynb").files) == {"bash.ipynb", "run.sh", "lib/common.sh", "tools/one.sh"}
    assert set(found_in(files, "r.ipynb").files) == {"r.ipynb", "fit.R", "lib/common.R"}


def test_what_cannot_be_followed_is_said() -> None:
    cells = [
        "import importlib\nname = input()\nimportlib.import_module(name)",
        "%run $script",
        "import runpy\nrunpy.run_path('gone.py')",
        "%run ../../shared.py",
        "import sys\nsys.path.append('/opt/shared/lib')\nsys.path.append('../../lib')",
        "exec(open(name).read())",
        "from helpers import x",
    ]
    files = {
        "nb/train.ipynb": notebook(*cells),
        "nb/helpers.py": "from .absent import x",
        "broken.ipynb": "{",
    }
    said = found_in(files, "nb/train.ipynb", "broken.ipynb").unfollowed
    assert said == [
        "nb/train.ipynb: what importlib.import_module() imports is known only when it runs.",
        "nb/train.ipynb: %run $script is known only when it runs.",
        "nb/train.ipynb: gone.py is not there.",
        "nb/train.ipynb: ../../shared.py lies outside the project.",
        "nb/train.ipynb: it looks for code in /opt/shared/lib, which is not frozen.",
        "nb/train.ipynb: it may look for code in ../../lib, which lies outside the project.",
        "nb/train.ipynb: what exec(open(name)) runs is known only when it runs.",
        "nb/helpers.py: the source of the module .absent was not found.",
        "broken.ipynb: it cannot be followed: This file is not a notebook: it is not valid JSON. "
        "Restore it from a checkpoint or a backup.",
    ]


@pytest.mark.parametrize(
    "cell",
    [
        "x = " + "(" * 500,
        "\0",
        "import a." + "b." * 300 + "c",
        "from . import x",
        "!'",
        "%run",
        "%%script",
        "f'{'",
        "exec()",
    ],
)
def test_odd_source_does_no_harm(cell: str) -> None:
    assert found([cell, "import helpers"], "helpers.py") == {"helpers.py"}


def test_circles_end() -> None:
    files = {"train.ipynb": notebook("import a\n%run train.ipynb"), "a.py": "import b", "b.py": "import a"}
    assert set(found_in(files).files) == set(files)


def test_import_folders_are_those_above_packages() -> None:
    files = [
        "nb/train.ipynb",
        "nb/near.py",
        "src/pkg/__init__.py",
        "src/pkg/sub/__init__.py",
        "src/pkg/sub/x.py",
        "a.sql",
    ]
    assert import_folders(files) == ["nb", "src"]
