"""What the commands do, on the same services as the panel."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from ..core.errors import InvalidInputError, UnavailableError
from ..core.messages import Message
from ..core.runs import Run
from ..core.states import RUN_OVER, SWEEP_OVER, SweepState
from ..core.sweeps import Sweep
from . import pipeline_runs, pipelines, schedules, starting
from .output import console, note, print_json, say_state
from .session import Session, load_settings
from .tables import last_word, run_details, runs_table, short_id, sweep_details, sweeps_table
from .watch import POLL_SECONDS

ACT_SECONDS = 30.0


def run_command(arguments: argparse.Namespace, overrides: list[str]) -> int:
    """Do what the parsed words say; the exit code."""
    settings, app = load_settings(overrides, arguments.data_dir)
    if arguments.command == "service":
        from .service import run_service

        return run_service(arguments, settings)
    with Session(settings, app) as session:
        return _COMMANDS[arguments.command](session, arguments)


# -- looking -----------------------------------------------------------------------------------


def _runs(session: Session, arguments: argparse.Namespace) -> int:
    if arguments.pipeline:
        if arguments.sweep or arguments.all:
            raise InvalidInputError(
                Message("--pipeline lists the runs of one pipeline; leave out what belongs to sweeps.")
            )
        return pipeline_runs.runs(session, arguments)
    if arguments.sweep:
        sweep = session.find_sweep(arguments.sweep)
        runs = session.sweeps.runs(sweep.id).runs
        if arguments.json:
            print_json({"sweep": sweep, "runs": runs})
        else:
            console().print(runs_table(sweep, runs) if runs else "No run is planned yet.")
        return 0
    sweeps = [sweep for sweep in session.all_sweeps() if arguments.all or not sweep.archived]
    if arguments.json:
        print_json({"sweeps": sweeps})
    elif sweeps:
        console().print(sweeps_table(sweeps))
    else:
        note("There is no sweep yet; “jupyter mlops sweep --help” says how to start one.")
    return 0


def _show(session: Session, arguments: argparse.Namespace) -> int:
    found = session.find(arguments.item)
    layout = session.sweeps.layout
    out = console()
    if isinstance(found, Sweep):
        runs = session.sweeps.runs(found.id).runs
        if arguments.json:
            print_json({"sweep": found, "runs": runs})
            return 0
        out.print(sweep_details(found, layout))
        out.print()
        for line in last_word(found, runs):
            out.print(line)
        return 0
    if arguments.json:
        output = layout.output(found.id, found.attempt)
        print_json({"run": found, "notebook": str(output) if output.exists() else None})
        return 0
    out.print(run_details(found, session.sweeps.sweep(found.sweep_id), layout))
    if found.error and found.error.traceback:
        out.print()
        out.print(found.error.traceback.rstrip(), soft_wrap=True)
    return 0


def _open(session: Session, arguments: argparse.Namespace) -> int:
    found = session.find(arguments.item)
    if isinstance(found, Sweep):
        best = found.best_run_id or (f"{found.id[:12]}-1" if found.total == 1 else None)
        if best is None:
            raise InvalidInputError(
                Message(
                    "Say which run of the sweep, such as {short_id}-1: none of the {total} is the best one.",
                    short_id=short_id(found),
                    total=found.total,
                )
            )
        found = session.sweeps.run(best)
    path = session.sweeps.run_output(found.id)
    print(path, flush=True)
    if sys.stdout.isatty() if arguments.browser is None else arguments.browser:
        from .browser import open_run

        return open_run(session.sweeps.sweep(found.sweep_id), found, wanted=bool(arguments.browser))
    return 0


# -- acting ------------------------------------------------------------------------------------


def _stop(session: Session, arguments: argparse.Namespace) -> int:
    found = session.find(arguments.item)
    is_sweep = isinstance(found, Sweep)
    what: Sweep | Run = session.sweeps.stop(found.id) if is_sweep else session.sweeps.stop_run(found.id)
    starting.check_service(session)
    session.wake()
    return say_state(_reached(session, what, _over), arguments)


def _pause(session: Session, arguments: argparse.Namespace) -> int:
    sweep = session.sweeps.pause(session.find_sweep(arguments.sweep).id)
    session.wake()
    return say_state(_reached(session, sweep, lambda what: what.state is SweepState.PAUSED or _over(what)), arguments)


def _resume(session: Session, arguments: argparse.Namespace) -> int:
    sweep = session.sweeps.resume(session.find_sweep(arguments.sweep).id)
    session.wake()
    return say_state(_reached(session, sweep, lambda what: what.state is not SweepState.PAUSED), arguments)


def _over(what: Sweep | Run) -> bool:
    return what.state in SWEEP_OVER | RUN_OVER


def _reached(session: Session, what: Sweep | Run, done: Callable[[Sweep | Run], bool]) -> Sweep | Run:
    """Wait until the service did what was asked for."""
    deadline = time.monotonic() + ACT_SECONDS
    while not done(what):
        if time.monotonic() > deadline:
            raise UnavailableError(
                Message(
                    "It is asked for, but {short_id} is still {state}; see “jupyter mlops service log”.",
                    short_id=short_id(what),
                    state=what.state,
                )
            )
        time.sleep(POLL_SECONDS)
        what = session.sweeps.sweep(what.id) if isinstance(what, Sweep) else session.sweeps.run(what.id)
    return what


_COMMANDS: dict[str, Callable[[Session, argparse.Namespace], int]] = {
    "sweep": starting.sweep,
    "wait": starting.wait,
    "runs": _runs,
    "show": _show,
    "open": _open,
    "stop": _stop,
    "pause": _pause,
    "resume": _resume,
    "retry": starting.retry,
    "pipeline": pipelines.pipeline,
    "pipelines": pipelines.pipelines,
    "schedules": schedules.schedules,
    "backfill": schedules.backfill,
}
