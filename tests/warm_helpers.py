"""What the tests of warm runs share: runs that ask for the same fork server, and a look into what they printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
from conftest import wait_until
from worker_helpers import alive, make_spec, output, text_of

from jupyter_mlops.core.runs import RunResult, RunSpec
from jupyter_mlops.core.states import RunState
from jupyter_mlops.worker import run_attempt

# pytest's own variable is another one in each test, and what a fork server was started with belongs to it
STEADY = {"PYTEST_CURRENT_TEST": ""}
WHO = "import json, os\nprint(json.dumps({'pid': os.getpid(), 'parent': os.getppid()}))"


class Notebook:
    """A frozen notebook, executed as often as a test asks for, each time as a run of its own."""

    def __init__(self, place: Path, *cells: str, **fields: Any) -> None:
        self.folder = place
        fields["env"] = {**STEADY, **fields.get("env", {})}
        self.spec = make_spec(place, *cells, **{"run_id": "notebook", **fields})
        self.runs = 0

    def next_spec(self, **fields: Any) -> RunSpec:
        """Of the next run."""
        self.runs += 1
        run_id = f"{self.spec.run_id}-{self.runs}"
        return msgspec.structs.replace(self.spec, run_id=run_id, directory=str(self.folder / "data" / run_id), **fields)

    def run(self, **fields: Any) -> RunResult:
        """Execute it once more."""
        return run_attempt(self.next_spec(**fields), lambda event: None)

    def texts(self, run: int = 0, **fields: Any) -> list[str]:
        """What each cell printed in an earlier run; without a number it is executed first, and goes well."""
        if not run:
            result = self.run(**fields)
            assert result.state is RunState.SUCCEEDED, msgspec.json.encode(result, enc_hook=str)
            run = self.runs
        return [text_of(cell) for cell in self.executed(run).cells]

    def executed(self, run: int = 0) -> Any:
        """The executed notebook of a run, the latest by default."""
        return output(self.folder, f"{self.spec.run_id}-{run or self.runs}")

    def read(self) -> Any:
        """What the last cell of the latest run printed as JSON."""
        return json.loads(self.texts(self.runs)[-1])

    def last(self, **fields: Any) -> Any:
        """Execute it, and read that."""
        self.texts(**fields)
        return self.read()


_WORKER = """
import sys, msgspec
from jupyter_mlops.core.runs import RunSpec
from jupyter_mlops.worker import run_attempt

for spec in msgspec.json.decode(sys.argv[1], type=list[RunSpec]):
    run_attempt(spec)
"""


def start_worker(temporary: Path, *specs: RunSpec) -> subprocess.Popen[bytes]:
    """A process that executes runs one after the other, and may be killed; its temporary files lie in a folder."""
    temporary.mkdir()
    return subprocess.Popen(
        [sys.executable, "-c", _WORKER, msgspec.json.encode(specs)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1]), "TMPDIR": str(temporary)},
    )


def gone(*pids: int) -> None:
    """See that processes end."""
    wait_until(lambda: not any(alive(pid) for pid in pids), why=lambda: [pid for pid in pids if alive(pid)])
