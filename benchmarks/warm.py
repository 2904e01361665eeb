"""What a run costs: ours with fresh kernels, warm ones and shared cells, beside the peers and the floor.

All contenders take their turns in one run of this script, on the same two cores. With --growth: what a run costs
in a sweep of 100, 1,000 and 10,000; with --gpu: runs that share an NVIDIA device.
"""

from __future__ import annotations

import argparse
import compileall
import os
import signal
import sys
import sysconfig
from collections.abc import Callable
from functools import partial
from statistics import median

from common import ROOT, machine, parser, publish, table
from contenders import AT_ONCE, OURS_AFTER, Measured, floor, ours, papermill, scheduler
from cpu import KINDS
from work import WORKS, Work

Rounds = dict[tuple[str, str], list[Measured]]

LOOP, DASK, SCHEDULER = "papermill loop", "papermill as Dask tasks", "jupyter-scheduler"
FRESH, WARM, SHARED = "ours, fresh kernels", "ours, warm", "ours, shared cells"
FLOOR, FLOOR_OWN = "floor: fork after the imports", "floor: fork after the shared cells"
PEERS: dict[str, Callable[[Work, int], Measured]] = {
    LOOP: partial(papermill, "loop"),
    DASK: partial(papermill, "dask"),
    SCHEDULER: scheduler,
}
OURS: dict[str, Callable[[Work, int], Measured]] = {
    FRESH: partial(ours, "fresh", False),
    WARM: partial(ours, "auto", False),
    SHARED: partial(ours, "auto", True),
    FLOOR: partial(floor, False),
    FLOOR_OWN: partial(floor, True),
}
SHORT = dict(
    zip(("loop", "dask", "scheduler", "fresh", "warm", "shared", "floor", "floor-own"), [*PEERS, *OURS], strict=True)
)
SHARING = (SHARED, FLOOR_OWN)  # where a work has cells to share

# what, work, contender, beside which other, how the two are compared, limit
TARGETS = (
    ("times the throughput of papermill as Dask tasks", "digits", WARM, DASK, "faster", 15.0),
    ("times the throughput of jupyter-scheduler", "digits", WARM, SCHEDULER, "faster", 30.0),
    ("times as long as the floor", "digits", WARM, FLOOR, "slower", 2.5),
    ("times the throughput of papermill as Dask tasks", "trivial", WARM, DASK, "faster", 5.0),
    ("times as long as the floor that forks after the shared cells", "flights", SHARED, FLOOR_OWN, "slower", 1.5),
    ("ms of CPU a run beside the cells", "trivial", WARM, FLOOR, "overhead", 120.0),
    ("ms of CPU a run beside the cells", "digits", WARM, FLOOR, "overhead", 120.0),
)


def overhead(one: Measured, cells: Measured) -> float:
    """Milliseconds of CPU a run of all processes, without its cells."""
    return (sum(one.cpu.values()) - cells.cpu["cells"]) * 1000


COMPARED: dict[str, Callable[[Measured, Measured], float]] = {
    "faster": lambda one, other: other.each / one.each,
    "slower": lambda one, other: one.each / other.each,
    "overhead": overhead,
}


def measure(chosen: argparse.Namespace) -> Rounds:
    """All that was chosen, in turn, in so many rounds."""
    found: Rounds = {}
    works = [work for name, work in WORKS.items() if not chosen.work or name in chosen.work]
    wanted = [name for short, name in SHORT.items() if not chosen.only or short in chosen.only]
    for number in range(chosen.repeat):
        for work in works:
            for name in wanted:
                if name in SHARING and not work.own:
                    continue
                one = PEERS[name](work, chosen.peer) if name in PEERS else OURS[name](work, chosen.runs)
                found.setdefault((work.name, name), []).append(one)
                print(f"round {number + 1}: {work.name}, {name}: {one.each * 1000:.0f} ms a run", file=sys.stderr)
    return found


def results_table(found: Rounds) -> str:
    """What a run took each contender."""
    rows = []
    for (work, name), rounds in found.items():
        each = median(one.each for one in rounds)
        beside = [COMPARED["faster"](*pair) for pair in zip(rounds, found.get((work, DASK), ()), strict=False)]
        rows.append(
            (
                work,
                f"**{name}**" if name in (WARM, SHARED) else name,
                f"{rounds[0].runs - rounds[0].after} of {rounds[0].runs}",
                f"{each * 1000:.1f} ms" if each < 0.1 else f"{each * 1000:.0f} ms",
                f"{1 / each:.2f}",
                f"{median(beside):.1f}" if beside else "",
                rounds[-1].note,
            )
        )
    head = ("work", "contender", "runs counted", "a run takes", "runs a second", f"against {DASK}", "kernels")
    return table(head, rows)


def targets_table(found: Rounds) -> str:
    """What was wanted, and what came of it."""
    rows = []
    for what, work, name, other, way, limit in TARGETS:
        pairs = list(zip(found.get((work, name), ()), found.get((work, other), ()), strict=False))
        if not pairs:
            continue
        value = median(COMPARED[way](*pair) for pair in pairs)
        most = way != "faster"
        met = value <= limit if most else value >= limit
        wanted = f"{'at most' if most else 'at least'} {limit:g}"
        rows.append((f"{work}: {name}", what, wanted, f"**{value:.1f}**", "yes" if met else "**no**"))
    return table(("", "", "wanted", "measured", "met"), rows) if rows else ""


def split_table(found: Rounds) -> str:
    """Where the CPU time of a run of ours goes, by process; its cells are the floor's."""
    columns = [(work, name) for work, name in found if name in (FRESH, WARM, SHARED)]
    if not columns:
        return ""

    def cpu(column: tuple[str, str], kind: str) -> float:
        return median(one.cpu.get(kind, 0.0) for one in found[column]) * 1000

    def cells(work: str, name: str) -> float | None:
        floors = found.get((work, FLOOR_OWN if name == SHARED else FLOOR))
        return median(one.cpu["cells"] for one in floors) * 1000 if floors else None

    others = {kind for column in columns for one in found[column] for kind in one.cpu} - set(KINDS)
    rows: list[tuple[str, ...]] = [
        (kind, *(f"{cpu(column, kind):.1f}" for column in columns)) for kind in (*KINDS, *sorted(others))
    ]
    totals = [median(sum(one.cpu.values()) for one in found[column]) * 1000 for column in columns]
    spent = [cells(*column) for column in columns]
    rows.append(("all", *(f"{total:.1f}" for total in totals)))
    rows.append(("of it the cells, as on the floor", *("" if one is None else f"{one:.1f}" for one in spent)))
    rest = ["" if one is None else f"**{total - one:.1f}**" for total, one in zip(totals, spent, strict=True)]
    rows.append(("**everything but the cells**", *rest))
    return table(("ms of CPU a run", *(f"{work}: {name}" for work, name in columns)), rows)


def warm(chosen: argparse.Namespace) -> None:
    """The main measurement."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:AT_ONCE])
    where = machine()
    found = measure(chosen)
    parts = (results_table(found), targets_table(found), split_table(found), f"Medians of {chosen.repeat} round(s).")
    publish("warm", "\n\n".join(part for part in parts if part), where, write=chosen.write)


def main() -> None:
    """Measure, print."""
    options = parser(__doc__)
    options.add_argument("--runs", type=int, default=100, help="of ours and of the floor")
    options.add_argument("--peer", type=int, default=12, help="runs of each peer")
    options.add_argument("--repeat", type=int, default=1, help="rounds; medians are shown")
    options.add_argument("--work", nargs="+", choices=list(WORKS), help="only these notebooks")
    options.add_argument("--only", nargs="+", choices=list(SHORT), help="only these contenders")
    options.add_argument("--growth", action="store_true", help="what a run costs in longer and longer sweeps, instead")
    options.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10_000], help="of these sweeps")
    options.add_argument("--gpu", action="store_true", help="torch on an NVIDIA device, instead")
    options.add_argument("--at-once", type=int, nargs="+", default=[1, 2, 4], help="runs that share the device")
    chosen = options.parse_args()
    if min(chosen.runs, *chosen.sizes) < 2 * OURS_AFTER:
        options.error(f"take at least {2 * OURS_AFTER} runs: the first {OURS_AFTER} are not counted")
    # whoever ends this ends what it has started, too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # set where a machine keeps no bytecode; imports would take three times as long, ours and the peers'
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for folder in (sysconfig.get_path("purelib"), ROOT / "jupyter_mlops"):
        compileall.compile_dir(folder, quiet=2, workers=0)
    if chosen.growth:
        from growth import growth

        growth(chosen)
    elif chosen.gpu:
        from device import device

        device(chosen)
    else:
        warm(chosen)


if __name__ == "__main__":
    main()
