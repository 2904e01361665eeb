"""What the commands do, on the same services as the panel."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from ..core.errors import InvalidInputError, UnavailableError
from ..core.records import Objective, Run, Sampler, SpaceRequest, Sweep, SweepRequest
from ..core.states import RUN_OVER, SWEEP_OVER, SweepState
from ..services.launch import is_running
from .session import Session, load_settings
from .tables import (
    best_first,
    console,
    last_word,
    run_details,
    runs_table,
    short_id,
    sweep_details,
    sweeps_table,
)
from .watch import POLL_SECONDS, wait_for

STOP_SECONDS = 30.0
_MOST_ROWS = 50


def run_command(arguments: argparse.Namespace, overrides: list[str]) -> int:
    """Do what the parsed words say; the exit code."""
    settings, app = load_settings(overrides, arguments.data_dir)
    if arguments.command == "service":
        from .service import run_service

        return run_service(arguments, settings)
    with Session(settings, app) as session:
        return _COMMANDS[arguments.command](session, arguments)


# -- starting and waiting ----------------------------------------------------------------------


def _sweep(session: Session, arguments: argparse.Namespace) -> int:
    file = Path(arguments.notebook).resolve()
    request = sweep_request(arguments, str(file))
    if not arguments.no_wait:
        _check_service(session)
    _confirm(session, file, request, arguments)
    sweep = session.sweeps.create(file, request, session.kernelspecs())
    session.wake()
    if arguments.no_wait:
        if arguments.json:
            _print_json({"sweep": sweep, "runs": []})
        else:
            print(sweep.id)
        return 0
    _note(f"Sweep {short_id(sweep)}, “{sweep.name}”: {_count(sweep.total)} of {file.name}.")
    return _see_through(session, sweep, arguments)


def sweep_request(arguments: argparse.Namespace, path: str) -> SweepRequest:
    """What the words of ``sweep`` ask for.

    Raises:
        InvalidInputError: a ``--param`` is not NAME=VALUES, or options do not go together.
    """
    if arguments.seed is not None and arguments.random is None:
        raise InvalidInputError("--seed needs --random N: all combinations in order leave nothing to chance.")
    sampler = Sampler()
    if arguments.random is not None:
        sampler = Sampler(kind="random", count=arguments.random, seed=arguments.seed or 0)
    objective = None
    if arguments.metric or arguments.minimize:
        objective = Objective(
            metric=arguments.minimize or arguments.metric,
            direction="minimize" if arguments.minimize else "maximize",
        )
    return SweepRequest(
        path=path,
        space=parse_params(arguments.param),
        sampler=sampler,
        objective=objective,
        metrics=[name.strip() for words in arguments.record for name in words.split(",") if name.strip()],
        target=arguments.target,
        slots=arguments.slots,
        name=arguments.name,
        experiment=arguments.experiment,
        cell_timeout=arguments.cell_timeout,
        run_timeout=arguments.run_timeout,
    )


def parse_params(words: list[str]) -> dict[str, str]:
    """``NAME=VALUES`` by name; the values keep the text that ``core.space`` reads.

    Raises:
        InvalidInputError: one is something else, or names what another named.
    """
    space: dict[str, str] = {}
    for word in words:
        name, equals, text = (part.strip() for part in word.partition("="))
        if not equals or not name:
            raise InvalidInputError(f"“{word}” is no NAME=VALUES, such as max_depth=3:8.")
        if name in space:
            raise InvalidInputError(f"{name} is given twice; write {name}={space[name]},{text} to try them all.")
        space[name] = text
    return space


def _check_service(session: Session) -> None:
    if not session.settings.start_service and not is_running(session.settings):
        raise UnavailableError(
            "No service is running, and MlopsSettings.start_service is off: start one with “jupyter mlops service”."
        )


def _confirm(session: Session, file: Path, request: SweepRequest, arguments: argparse.Namespace) -> None:
    if arguments.yes or _is_script(arguments) or not sys.stdin.isatty():
        return
    wanted = SpaceRequest(path=request.path, space=request.space, sampler=request.sampler)
    total = session.sweeps.check(file, wanted).total
    if total <= session.settings.confirm_runs:
        return
    print(f"This makes {_count(total)}. Start them? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise InvalidInputError("Nothing was started.")


def _is_script(arguments: argparse.Namespace) -> bool:
    return arguments.json or not sys.stdout.isatty()


def _see_through(session: Session, sweep: Sweep, arguments: argparse.Namespace) -> int:
    """Wait for a sweep's end and print its results; 0 where every run succeeded."""
    try:
        sweep = wait_for(session, sweep.id, definite=_is_script(arguments))
    except KeyboardInterrupt:
        which = short_id(sweep)
        _note(
            f"The sweep goes on in the background. “jupyter mlops wait {which}” waits for it again, "
            f"“jupyter mlops stop {which}” ends it."
        )
        raise
    runs = session.sweeps.runs(sweep.id).runs
    if arguments.json:
        _print_json({"sweep": sweep, "runs": runs})
    else:
        _print_results(sweep, runs)
    return 0 if sweep.state is SweepState.SUCCEEDED else 1


def _print_results(sweep: Sweep, runs: list[Run]) -> None:
    out = console()
    shown = best_first(sweep, runs)[:_MOST_ROWS]
    if shown:
        out.print(runs_table(sweep, shown))
    if len(runs) > len(shown):
        out.print(f"… and {_count(len(runs) - len(shown))} more: jupyter mlops runs {short_id(sweep)}")
    out.print()
    for line in last_word(sweep, runs):
        out.print(line)


def _wait(session: Session, arguments: argparse.Namespace) -> int:
    sweep = session.find_sweep(arguments.sweep)
    if sweep.state not in SWEEP_OVER:
        _check_service(session)
        session.wake()
    return _see_through(session, sweep, arguments)


# -- looking -----------------------------------------------------------------------------------


def _runs(session: Session, arguments: argparse.Namespace) -> int:
    if arguments.sweep:
        sweep = session.find_sweep(arguments.sweep)
        runs = session.sweeps.runs(sweep.id).runs
        if arguments.json:
            _print_json({"sweep": sweep, "runs": runs})
        else:
            console().print(runs_table(sweep, runs) if runs else "No run is planned yet.")
        return 0
    sweeps = [sweep for sweep in session.all_sweeps() if arguments.all or not sweep.archived]
    if arguments.json:
        _print_json({"sweeps": sweeps})
    elif sweeps:
        console().print(sweeps_table(sweeps))
    else:
        _note("There is no sweep yet; “jupyter mlops sweep --help” says how to start one.")
    return 0


def _show(session: Session, arguments: argparse.Namespace) -> int:
    found = session.find(arguments.item)
    layout = session.sweeps.layout
    out = console()
    if isinstance(found, Sweep):
        runs = session.sweeps.runs(found.id).runs
        if arguments.json:
            _print_json({"sweep": found, "runs": runs})
            return 0
        out.print(sweep_details(found, layout))
        out.print()
        for line in last_word(found, runs):
            out.print(line)
        return 0
    if arguments.json:
        output = layout.output(found.id, found.attempt)
        _print_json({"run": found, "notebook": str(output) if output.exists() else None})
        return 0
    out.print(run_details(found, session.sweeps.get(found.sweep_id, "/"), layout))
    if found.error and found.error.traceback:
        out.print()
        out.print(found.error.traceback.rstrip(), soft_wrap=True)
    return 0


def _open(session: Session, arguments: argparse.Namespace) -> int:
    found = session.find(arguments.item)
    if isinstance(found, Sweep):
        best = found.best_run_id or (f"{found.id[:12]}-0" if found.total == 1 else None)
        if best is None:
            raise InvalidInputError(
                f"Say which run of the sweep, such as {short_id(found)}-0: none of the {found.total} is the best one."
            )
        found = session.sweeps.run(best)
    path = session.sweeps.run_output(found.id)
    print(path, flush=True)
    if sys.stdout.isatty() if arguments.browser is None else arguments.browser:
        from .browser import open_run

        return open_run(session.sweeps.get(found.sweep_id, "/"), found, wanted=bool(arguments.browser))
    return 0


# -- acting ------------------------------------------------------------------------------------


def _stop(session: Session, arguments: argparse.Namespace) -> int:
    found = session.find(arguments.item)
    is_sweep = isinstance(found, Sweep)
    what: Sweep | Run = session.sweeps.stop(found.id) if is_sweep else session.sweeps.stop_run(found.id)
    _check_service(session)
    session.wake()
    deadline = time.monotonic() + STOP_SECONDS
    while what.state not in SWEEP_OVER | RUN_OVER and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        what = session.sweeps.get(what.id, "/") if isinstance(what, Sweep) else session.sweeps.run(what.id)
    if what.state not in SWEEP_OVER | RUN_OVER:
        raise UnavailableError(f"It is asked for, but after {STOP_SECONDS:.0f} s {short_id(what)} is {what.state}.")
    return _say_state(what, arguments)


def _pause(session: Session, arguments: argparse.Namespace) -> int:
    return _say_state(session.sweeps.pause(session.find_sweep(arguments.sweep).id), arguments)


def _resume(session: Session, arguments: argparse.Namespace) -> int:
    sweep = session.sweeps.resume(session.find_sweep(arguments.sweep).id)
    session.wake()
    return _say_state(sweep, arguments)


def _retry(session: Session, arguments: argparse.Namespace) -> int:
    found = session.find_sweep(arguments.sweep)
    if not arguments.no_wait:
        _check_service(session)
    sweep = session.sweeps.retry(found.id)
    session.wake()
    return _say_state(sweep, arguments) if arguments.no_wait else _see_through(session, sweep, arguments)


def _say_state(what: Sweep | Run, arguments: argparse.Namespace) -> int:
    if arguments.json:
        _print_json({"sweep" if isinstance(what, Sweep) else "run": what})
        return 0
    asked = what.pause_requested if isinstance(what, Sweep) else False
    print(f"{short_id(what)} {'is asked to pause' if asked and what.state != 'paused' else f'is {what.state}'}.")
    return 0


def _count(runs: int) -> str:
    return f"{runs:,} run{'s' * (runs != 1)}"


def _note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print_json(document: dict[str, Any]) -> None:
    print(msgspec.json.format(msgspec.json.encode(document), indent=2).decode(), flush=True)


_COMMANDS: dict[str, Callable[[Session, argparse.Namespace], int]] = {
    "sweep": _sweep,
    "wait": _wait,
    "runs": _runs,
    "show": _show,
    "open": _open,
    "stop": _stop,
    "pause": _pause,
    "resume": _resume,
    "retry": _retry,
}
