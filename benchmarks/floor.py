"""The least that runs can cost: a process that has done the imports forks, and the child executes the cells.

No kernel, no messages, no outputs kept. Speaks JSON: a job on standard input, seconds on standard output.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from typing import Any


def child(cells: list[str], names: dict[str, Any]) -> None:
    """Execute cells, and end."""
    status = 1
    try:
        for cell in cells:
            exec(compile(cell, "<cell>", "exec"), names)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def main() -> None:
    """Do a job: ``imports``, ``before``, ``after``, ``parameter``, ``values``, ``at_once``."""
    job = json.load(sys.stdin)
    exec(job["imports"], {})
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in job["before"]:
        exec(compile(cell, "<cell>", "exec"), names)
    waiting = [f"{job['parameter']} = {value!r}" for value in job["values"]]
    ends, cpu, live = [], [], 0
    while waiting or live:
        while waiting and live < job["at_once"]:
            own = waiting.pop(0)
            pid = os.fork()
            if pid == 0:
                child([own if cell is None else cell for cell in job["after"]], names)
            live += 1
        _, status, used = os.wait4(-1, 0)
        live -= 1
        if status:
            raise SystemExit(f"A run of the floor failed ({status}).")
        ends.append(time.perf_counter())
        cpu.append(used.ru_utime + used.ru_stime)
    print("\n" + json.dumps({"ends": ends, "cpu": cpu}))


if __name__ == "__main__":
    main()
