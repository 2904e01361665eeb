"""Whether a run costs the same in a long sweep as in a short one, and what the processes grow by."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import datetime

from common import machine, publish, server, table
from contenders import AT_ONCE, OURS_AFTER, make_ready, marginal, runs_of, start
from cpu import KINDS, cpu_used, memory_used
from work import TRIVIAL

WITHIN = 20  # percent


def growth(chosen: argparse.Namespace) -> None:
    """One sweep after another, each longer, by the same service."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:AT_ONCE])
    where = machine()
    sizes, costs, cpu, last = chosen.sizes, [], [], []
    with server(settings={"local_slots": AT_ONCE}) as running:
        running.wait()
        make_ready(running)
        memory = [memory_used(running)]
        for size in sizes:
            before = cpu_used(running)
            done = runs_of(running, start(running, TRIVIAL, size))
            used = cpu_used(running)
            cpu.append({kind: (used[kind] - before[kind]) / size * 1000 for kind in used})
            memory.append(memory_used(running))
            ends = sorted(datetime.fromisoformat(run["ended_at"]).timestamp() for run in done)
            costs.append(marginal(ends, OURS_AFTER))
            last.append(marginal(ends, size - size // 5))
            print(f"{size:,} runs: {costs[-1] * 1000:.1f} ms a run", file=sys.stderr)

    rows = []
    totals = [sum(used.values()) for used in cpu]
    for size, cost, total, end in zip(sizes, costs, totals, last, strict=True):
        ratio = cost / costs[0]
        met = "" if size == sizes[0] else "yes" if (ratio - 1) * 100 <= WITHIN else "**no**"
        rows.append(
            (
                f"{size:,}",
                f"{cost * 1000:.1f} ms",
                f"{ratio:.2f}",
                met,
                f"{end * 1000:.1f} ms",
                f"{total:.1f} ms",
                f"{total / totals[0]:.2f}",
            )
        )
    head = (
        *("trivial runs", "a run takes", f"against {sizes[0]:,}", f"within {WITHIN} %"),
        *("in the last fifth", "CPU a run", f"against {sizes[0]:,}"),
    )
    text = table(head, rows)
    of_cpu = [(kind, *(f"{used.get(kind, 0):.1f}" for used in cpu)) for kind in KINDS]
    text += "\n\n" + table(("ms of CPU a run", *(f"{size:,} runs" for size in sizes)), of_cpu)
    shown = [kind for kind in KINDS if any(kind in one for one in memory)]
    sizes_of = [(kind, *(f"{one[kind]:.0f} MB" for one in memory)) for kind in shown]
    text += "\n\n" + table(("memory (PSS)", "before", *(f"after {size:,} runs" for size in sizes)), sizes_of)
    publish("growth", text, where, write=chosen.write)
