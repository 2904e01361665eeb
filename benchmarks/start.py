"""What loading the extension adds to the start of the Jupyter server, and what it imports.

JupyterLab's server is started in turn with and without the extension, and the differences of neighbours
are taken: whatever else the machine does meets both alike.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

from common import HEAVY, Server, machine, parser, publish, server, table

# what a JupyterLab server has imported already costs nothing a second time
_IMPORT = (
    "import time, jupyterlab.labapp; t = time.perf_counter(); import jupyter_mlops.app, jupyter_mlops.api.handlers"
)


def import_milliseconds() -> float:
    """Of the extension's modules in a process that has JupyterLab's already, at best of five."""
    code = f"{_IMPORT}; print(time.perf_counter() - t)"
    return min(float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(5)) * 1000


def slowest_imports(count: int = 4) -> list[str]:
    """By ``-X importtime``: the modules that take most by themselves, of those that only we import."""
    trace = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", f"{_IMPORT.replace('t = ', 'sys = ')}"],
        capture_output=True,
        text=True,
        check=True,
    ).stderr.splitlines()
    ours = trace[next(i for i, line in enumerate(trace) if line.endswith(" jupyterlab.labapp")) + 1 :]
    rows = [line.removeprefix("import time:").split("|") for line in ours]
    costs = sorted(((int(own), name.strip()) for own, _, name in rows), reverse=True)
    return [f"{name} {own / 1000:.1f} ms" for own, name in costs[:count]]


def start(*, extension: bool) -> tuple[float, float, Server]:
    """Seconds until it answers, CPU seconds until then."""
    with server(extension=extension) as running:
        wall, cpu = running.wait()
        return wall, cpu, running


def main() -> None:
    """Measure, print."""
    options = parser(__doc__)
    options.add_argument("--pairs", type=int, default=15)
    chosen = options.parse_args()
    where = machine()
    start(extension=True)  # compiles what is not compiled, and fills the page cache
    with_it, without = [], []
    for _ in range(chosen.pairs):
        without.append(start(extension=False)[:2])
        with_it.append(start(extension=True)[:2])
    with server() as running:
        running.wait()
        at_start = running.modules()
        running.get("/mlops/status")
        running.get("/mlops/changes")
        later = running.modules()
    with server(extension=False) as running:
        running.wait()
        anyway = running.modules()

    def row(name: str, index: int) -> tuple[str, ...]:
        differences = [(a[index] - b[index]) * 1000 for a, b in zip(with_it, without, strict=True)]
        quarters = statistics.quantiles(differences, n=4)
        return (
            name,
            f"{statistics.median(item[index] for item in without) * 1000:.0f} ms",
            f"{statistics.median(item[index] for item in with_it) * 1000:.0f} ms",
            f"**{statistics.median(differences):.0f} ms** ({quarters[0]:.0f} to {quarters[2]:.0f})",
        )

    text = table(
        ("JupyterLab's server", "without", "with", "difference: median (quartiles)"),
        [row("until it answers", 0), row("CPU time until then", 1)],
    )
    named = ", ".join(HEAVY)
    text += f"\n\nMedians of {chosen.pairs} starts each. The import alone: {import_milliseconds():.0f} ms, "
    text += f"of it {', '.join(slowest_imports())}.\n"
    text += f"Of {named}, the server has imported by then: {', '.join(at_start) or 'none'}"
    text += f" (without us: {', '.join(anyway) or 'none'}); after the first requests: {', '.join(later) or 'none'}."
    publish("start", text, where, write=chosen.write)


if __name__ == "__main__":
    main()
