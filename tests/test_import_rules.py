"""The import rules of pyproject.toml refuse what they are there to refuse, and their exceptions become fewer only."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RULES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
# a name may leave this list, and none may join it
EXCEPTIONS = {
    "jupyter_mlops -> jupyter_mlops.app",
    "jupyter_mlops.services.pipelines.airflow.tasks -> papermill",
    "jupyter_mlops.worker.kernel.environment -> dask",
    "jupyter_mlops.worker.kernel.environment -> distributed",
    "jupyter_mlops.worker.probes.kernel_metrics -> mlflow",
}


def test_exceptions_become_fewer_only() -> None:
    found = [name for contract in RULES["contracts"] for name in contract.get("ignore_imports", [])]
    assert sorted(found) == sorted(set(found) & EXCEPTIONS)
    # what would be an exception for many at once
    assert not RULES["exclude_type_checking_imports"]
    loose = {"unmatched_ignore_imports_alerting", "exhaustive_ignores", "skip_descendants", "depth"}
    assert not [name for contract in RULES["contracts"] for name in loose & set(contract)]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    files = shutil.ignore_patterns("labextension", "__pycache__")
    shutil.copytree(ROOT / "jupyter_mlops", tmp_path / "jupyter_mlops", ignore=files)
    return tmp_path


def checked(copy: Path) -> tuple[int, list[str]]:
    """The exit code of import-linter, and the rules that it found broken."""
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1) and "Contracts: " in done.stdout, done.stdout + done.stderr
    names = {contract["name"] for contract in RULES["contracts"]}
    return done.returncode, [name for name in names if f"{name} BROKEN" in done.stdout]


def test_the_package_keeps_them(copy: Path) -> None:
    assert checked(copy) == (0, [])


_FLOORS, _CIRCLES = "A file imports lower floors only", "No circle in any package"


@pytest.mark.parametrize(
    ("files", "rules"),
    [
        ({"core/new.py": "from ..store import Store"}, {_FLOORS, _CIRCLES, "core has no framework"}),
        ({"compute/new.py": "from .. import services"}, {_FLOORS, _CIRCLES}),
        ({"store/new.py": "from .. import worker"}, {_FLOORS}),
        ({"serving/__init__.py": ""}, {_FLOORS}),
        ({"core/new.py": "from . import other", "core/other.py": "from . import new"}, {_CIRCLES}),
        (
            {"worker/new.py": "def later():\n    from . import other", "worker/other.py": "from . import new"},
            {_CIRCLES},
        ),
        (
            {
                "core/new.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from . import other",
                "core/other.py": "from . import new",
            },
            {_CIRCLES},
        ),
        ({"cli/new.py": "import sqlalchemy"}, {"Only the store knows SQL"}),
        ({"runtime.py": "import mlflow"}, {"Only tracking knows MLflow"}),
        ({"services/new.py": "from distributed import Client"}, {"Only compute knows Dask"}),
        ({"api/new.py": "import papermill"}, {"Only a worker executes notebooks"}),
        ({"core/new.py": "import tornado"}, {"core has no framework"}),
    ],
)
def test_what_breaks_a_rule_is_found(copy: Path, files: dict[str, str], rules: set[str]) -> None:
    for name, text in files.items():
        path = copy / "jupyter_mlops" / name
        path.parent.mkdir(exist_ok=True)
        with path.open("a") as file:
            file.write(f"\n{text}\n")
    code, found = checked(copy)
    assert code == 1 and set(found) == rules
