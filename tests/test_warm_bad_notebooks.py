"""Whatever a notebook does to its process, the next run from the same fork server finds nothing of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from warm_helpers import Notebook, gone

from jupyter_mlops.core.states import RunState

IMPORTS = "import asyncio, builtins, decimal, json, locale, os, random, resource, signal, sys, threading, warnings\n"
PROBE = """
import numpy
limits = [name for name in dir(resource) if name.startswith("RLIMIT_")]
environ = {name: value for name, value in os.environ.items() if name not in ("MLOPS_RUN_ID", "MLOPS_RUN_DIR")}
handlers = [signal.getsignal(number) for number in signal.valid_signals()]
umask = os.umask(0o22)
os.umask(umask)
state = {
    "parent": os.getppid(),
    "own group": os.getpid() == os.getpgrp() == os.getsid(0),
    "path": sys.path,
    "modules": sorted(sys.modules),
    "builtins": {name: getattr(item, "__qualname__", type(item).__name__) for name, item in vars(builtins).items()},
    "names": sorted(set(globals())),
    "handlers": [getattr(handler, "__qualname__", str(handler)) for handler in handlers],
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "locale": locale.setlocale(locale.LC_ALL),
    "decimals": decimal.getcontext().prec,
    "environ": environ,
    "umask": umask,
    "folder": os.getcwd(),
    "files": sorted(os.listdir()),
    "filters": [str(filter) for filter in warnings.filters],
    "limits": {name: resource.getrlimit(getattr(resource, name)) for name in limits},
    "niceness": os.nice(0),
    "recursion": sys.getrecursionlimit(),
    "switch": sys.getswitchinterval(),
    "threads": sorted(thread.name for thread in threading.enumerate()),
    "tasks": len(asyncio.all_tasks()),
    "sum": sum([1, 2]),
    "numpy": [numpy.pi, str(numpy.geterr())],
}
random_numbers = [random.random(), numpy.random.rand()]
print(json.dumps({"state": state, "random": random_numbers}))
"""
SPOIL = """
import numpy
sys.path.insert(0, "/nowhere")
sys.modules["json"] = sys.modules["colorsys"] = builtins
builtins.sum = len
builtins.spoilt = numpy.pi = 3
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGCHLD):
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2, signal.SIGHUP])
locale.setlocale(locale.LC_ALL, "C")
decimal.getcontext().prec = 3
os.environ["SPOILT"] = "yes"
del os.environ["PATH"]
os.umask(0o777)
os.chdir("/")
random.seed(1)
numpy.random.seed(1)
numpy.seterr(all="raise")
warnings.simplefilter("error")
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
os.nice(3)
sys.setrecursionlimit(500)
sys.setswitchinterval(1)
"""
NOTE = "open(os.environ['MLOPS_RUN_DIR'] + '/pids', 'a').write(f'{os.getpid()} ')\n"
KEEP_LIVING = NOTE + "    import time; time.sleep(1000)"
OTHERS = {
    "forks itself": (f"if os.fork() == 0:\n    {KEEP_LIVING}", RunState.SUCCEEDED),
    "is two kernels after a cell": (f"os.fork()\n{NOTE}", None),
    "leaves a thread": ("import time\nthreading.Thread(target=time.sleep, args=(1000,)).start()", RunState.SUCCEEDED),
    "leaves a daemon thread": (
        "import time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()",
        RunState.SUCCEEDED,
    ),
    "leaves a child of its own session": (
        f"if os.fork() == 0:\n    os.setsid()\n    if os.fork():\n        os._exit(0)\n    {KEEP_LIVING}",
        RunState.SUCCEEDED,
    ),
    "leaves a child that ignores all signals": (
        "if os.fork() == 0:\n    for n in range(1, 32):\n        try:\n            signal.signal(n, signal.SIG_IGN)\n"
        f"        except OSError:\n            pass\n    {KEEP_LIVING}",
        RunState.SUCCEEDED,
    ),
    "leaves a task": ("task = asyncio.ensure_future(asyncio.sleep(1000))", RunState.SUCCEEDED),
    "closes file descriptors": (f"{NOTE}os.closerange(3, 4096)", RunState.FAILED),
    "closes its output": (f"{NOTE}os.closerange(0, 3)", RunState.SUCCEEDED),
    "leaves without a word": (f"{NOTE}os._exit(3)", RunState.FAILED),
    "fills its memory": (
        f"{NOTE}resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
        "x = [bytearray(1 << 28) for _ in range(99)]",
        RunState.FAILED,
    ),
    "is ended by the system": (f"{NOTE}os.kill(os.getpid(), 9)", RunState.FAILED),
    "ends its group": (f"{NOTE}os.killpg(0, 9)", RunState.FAILED),
    "crashes": (f"{NOTE}import ctypes\nctypes.string_at(0)", RunState.FAILED),
    "stops itself": (f"{NOTE}os.kill(os.getpid(), signal.SIGSTOP)", RunState.FAILED),
    "changes all it can": (f"{NOTE}{SPOIL}", RunState.SUCCEEDED),
}


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    return Probe(tmp_path_factory.mktemp("bad"))


class Probe:
    """One folder for all, and so one fork server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notebook = Notebook(folder, IMPORTS + PROBE, run_id="probe")
        self.random: list[float] = []
        self.clean = self.look()

    def look(self) -> Any:
        """All that a run finds around it."""
        found = json.loads(self.notebook.texts()[0])
        self.random += found["random"]
        return found["state"]


@pytest.mark.parametrize("name", OTHERS)
def test_it_dies_alone(probe: Probe, name: str) -> None:
    code, state = OTHERS[name]
    bad = Notebook(probe.folder, IMPORTS + "import numpy", code, run_id=name.replace(" ", "-"), cell_timeout=3)
    result = bad.run()
    assert result.kernel_start == "warm", result
    assert state is None or result.state is state, result
    noted = probe.folder / "data" / f"{bad.spec.run_id}-1" / "files" / "pids"
    if noted.exists():
        gone(*map(int, noted.read_text().split()))
    assert probe.look() == probe.clean
    assert len(set(probe.random)) == len(probe.random)


def test_what_a_run_finds_is_what_a_new_process_finds(probe: Probe) -> None:
    notebook = Notebook(probe.folder, IMPORTS + PROBE, run_id="fresh", kernel_start="fresh")
    found = json.loads(notebook.texts()[0])["state"]
    assert found["parent"] != probe.clean["parent"]
    differing = {name for name in found if found[name] != probe.clean[name]}
    assert differing - {"modules"} == {"parent"}, {name: (found[name], probe.clean[name]) for name in differing}
    assert set(found["modules"]) - set(probe.clean["modules"]) <= {"runpy"}
