"""Kernels that the tests of warm runs install for themselves."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

MODULES = {
    "early": "import os\nPID = os.getpid()",
    "noisy": "print('imported')",
    "complaining": "import warnings\nwarnings.warn('it is old')",
    "broken": "raise ImportError('not today')",
    "ended": "raise SystemExit(3)",
    "threaded": (
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True, name='watcher').start()"
    ),
    "reading": "import os\nRUN = os.environ['MLOPS_RUN_ID']",
    "device": "import os\nFILE = open(os.environ['TEST_DEVICE'])",
    "unseeded": "import random\nrng = random.Random()",
    "seeding": "import random\nrandom.seed(1)",
    "indirect": "import colorsys, early\nFILES = (colorsys.__file__, early.__file__)",
    "replacing": "import io, sys\nsys.stdout = io.StringIO()",
    "speaking": "import logging\nlog = logging.getLogger('speaking')\nlog.addHandler(logging.StreamHandler())",
}


def put_kernel(folder: Path, name: str, python: Path | str = sys.executable, **fields: Any) -> None:
    """Write a kernelspec into ``folder``, which is to be on ``JUPYTER_PATH``."""
    place = folder / "kernels" / name
    place.mkdir(parents=True, exist_ok=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": name, "language": "python", **fields}
    (place / "kernel.json").write_text(json.dumps(spec))


class OtherEnvironment:
    """A virtual environment that has ipykernel, a few modules, and not this package.

    Attributes:
        jupyter: folder for ``JUPYTER_PATH``; its kernel is called ``other``.
        packages: where its modules lie.
        project: where a module lies that it has an editable install of.
    """

    def __init__(self, folder: Path) -> None:
        self.jupyter = folder / "jupyter"
        self.project = folder / "source"
        self.project.mkdir()
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
        python = folder / "venv" / "bin" / "python"
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self.packages = folder / "venv" / "lib" / version / "site-packages"
        # a path file read by way of another is not: this package's editable install stays behind
        (self.packages / "theirs.pth").write_text(sysconfig.get_path("purelib") + "\n")
        (self.packages / "editable.pth").write_text(f"{self.project}\n")
        for name, source in MODULES.items():
            (self.packages / f"{name}.py").write_text(source + "\n")
        put_kernel(self.jupyter, "other", python)
        command = [python, "-c", "import ipykernel, jupyter_mlops"]
        found = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
        assert "No module named 'jupyter_mlops'" in found.stderr, found.stderr

    def install(self, name: str) -> None:
        """Do what an installer does first."""
        (self.packages / f"{name}-1.0.dist-info").mkdir()

    def remove(self, name: str) -> None:
        """And the reverse."""
        shutil.rmtree(self.packages / f"{name}-1.0.dist-info")
