"""Starting sweeps and waiting for them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..core.errors import InvalidInputError, UnavailableError
from ..core.messages import Message
from ..core.runs import Run
from ..core.states import SWEEP_OVER, SweepState
from ..core.sweeps import Objective, Sampler, SpaceRequest, Sweep, SweepRequest
from ..services.process.launch import is_running
from .output import console, note, print_json, say_state
from .session import Session
from .tables import best_first, count_text, last_word, runs_table, shared_cells, short_id
from .watch import wait_for

_MOST_ROWS = 50


def sweep(session: Session, arguments: argparse.Namespace) -> int:
    """Start a sweep, and wait for its end unless told not to."""
    file = Path(arguments.notebook).resolve()
    request = sweep_request(arguments, str(file))
    if not arguments.no_wait:
        check_service(session)
    _confirm(session, file, request, arguments)
    sweep = session.sweeps.create(file, request, session.kernelspecs())
    session.wake()
    if arguments.no_wait:
        if arguments.json:
            print_json({"sweep": sweep, "runs": []})
        else:
            print(sweep.id)
        return 0
    note(f"Sweep {short_id(sweep)}, “{sweep.name}”: {count_text(sweep.total)} of {file.name}.")
    return _see_through(session, sweep, arguments)


def sweep_request(arguments: argparse.Namespace, path: str) -> SweepRequest:
    """What the words of ``sweep`` ask for.

    Raises:
        InvalidInputError: a ``--param`` is not NAME=VALUES, or options do not go together.
    """
    if arguments.seed is not None and arguments.random is None:
        raise InvalidInputError(Message("--seed needs --random N: all combinations in order leave nothing to chance."))
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
        kernel=arguments.kernel,
        target=arguments.target,
        slots=arguments.slots,
        name=arguments.name,
        experiment=arguments.experiment,
        cell_timeout=arguments.cell_timeout,
        run_timeout=arguments.run_timeout,
        shared_prefix=arguments.share_prefix,
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
            raise InvalidInputError(Message("“{word}” is no NAME=VALUES, such as max_depth=3:8.", word=word))
        if name in space:
            raise InvalidInputError(
                Message(
                    "{name} is given twice; write {name}={space},{text} to try them all.",
                    name=name,
                    space=space[name],
                    text=text,
                )
            )
        space[name] = text
    return space


def check_service(session: Session) -> None:
    """Refuse to wait for a service that nobody would start.

    Raises:
        UnavailableError: none runs, and none may be started.
    """
    if not session.settings.start_service and not is_running(session.settings):
        raise UnavailableError(
            Message(
                "No service is running, and MlopsSettings.start_service is off: start one with “jupyter mlops service”."
            )
        )


def _confirm(session: Session, file: Path, request: SweepRequest, arguments: argparse.Namespace) -> None:
    """Show what a person should know before a sweep starts, and ask where one is there to answer."""
    asks = not (arguments.yes or _is_script(arguments)) and sys.stdin.isatty()
    if not asks and (arguments.json or not request.shared_prefix):
        return
    found = session.sweeps.check(file, SpaceRequest(path=request.path, space=request.space, sampler=request.sampler))
    questions = []
    # what cannot be shared is refused when the sweep is made
    if request.shared_prefix and found.prefix.end:
        for line in shared_cells(found.prefix):
            note(line)
        questions.append("Share these cells?")
    if found.total > session.settings.confirm_runs:
        questions.append(f"This makes {count_text(found.total)}. Start them?")
    for question in questions if asks else []:
        print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise InvalidInputError(Message("Nothing was started."))


def _is_script(arguments: argparse.Namespace) -> bool:
    return arguments.json or not sys.stdout.isatty()


def _see_through(session: Session, sweep: Sweep, arguments: argparse.Namespace) -> int:
    """Wait for a sweep's end and print its results; 0 where every run succeeded."""
    try:
        sweep = wait_for(session, sweep.id, definite=_is_script(arguments))
    except KeyboardInterrupt:
        which = short_id(sweep)
        paused = session.store.sweeps.get(sweep.id).state is SweepState.PAUSED
        how = f"stays paused. “jupyter mlops resume {which}” goes on" if paused else "goes on in the background"
        note(f"The sweep {how}. “jupyter mlops wait {which}” waits for it again, “jupyter mlops stop {which}” ends it.")
        raise
    runs = session.sweeps.runs(sweep.id).runs
    if arguments.json:
        print_json({"sweep": sweep, "runs": runs})
    else:
        _print_results(sweep, runs)
    return 0 if sweep.state is SweepState.SUCCEEDED else 1


def _print_results(sweep: Sweep, runs: list[Run]) -> None:
    out = console()
    shown = best_first(sweep, runs)[:_MOST_ROWS]
    if shown:
        out.print(runs_table(sweep, shown))
    if len(runs) > len(shown):
        out.print(f"… and {count_text(len(runs) - len(shown))} more: jupyter mlops runs {short_id(sweep)}")
    out.print()
    for line in last_word(sweep, runs):
        out.print(line)


def wait(session: Session, arguments: argparse.Namespace) -> int:
    """Wait for the end of a sweep that was started before."""
    sweep = session.find_sweep(arguments.sweep)
    if sweep.state not in SWEEP_OVER:
        check_service(session)
        session.wake()
    return _see_through(session, sweep, arguments)


def retry(session: Session, arguments: argparse.Namespace) -> int:
    """Repeat what failed or was stopped of a sweep that is over."""
    found = session.find_sweep(arguments.sweep)
    if not arguments.no_wait:
        check_service(session)
    sweep = session.sweeps.retry(found.id)
    session.wake()
    return say_state(sweep, arguments) if arguments.no_wait else _see_through(session, sweep, arguments)
