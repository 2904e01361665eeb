"""``jupyter mlops sweep``: start sweeps, wait for them, look at them and their runs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import InvalidInputError
from ..core.messages import Message
from ..core.runs import Run
from ..core.states import RUN_OVER, SWEEP_OVER, SweepState
from ..core.sweeps import Objective, Sampler, SpaceRequest, Sweep, SweepRequest
from .output import count_text, note, tell, tell_all
from .parser import WHICH_SWEEP, Noun, duration, whole
from .sweep_tables import (
    best_first,
    last_word,
    never_started,
    run_details,
    runs_table,
    shared_cells,
    short_id,
    sweep_details,
    sweeps_table,
)

if TYPE_CHECKING:
    from .session import Session

_MOST_ROWS = 50
EPILOG = f"""\
“sweep NOTEBOOK …” is short for “sweep start NOTEBOOK …”; “sweep start --help” says what can be tried.
A notebook that is called as an action is ./list.

{WHICH_SWEEP}
"""
_START = """\
The notebook must hold a cell tagged “parameters” that assigns defaults. Its bytes are frozen as they are
now; later edits change nothing. The first combination runs alone, then as many at once as cores and
memory allow.
"""
_EXAMPLES = """\
what to try, --param NAME=VALUES:
  C=0.1,1,10            a list
  seed=0:59             whole numbers, both ends
  alpha=0.1:0.5:5       five points from 0.1 to 0.5
  rate=log:0.01:0.3:5   five points, logarithmic
  x=0:1:step=0.25       0, 0.25, … up to 1
  name=["a, b", "c"]    JSON, where a value holds commas or is a list itself
  url=http://x:80/y     one value; text keeps its colons
Values take the type of the parameter's default. Parameters left out keep their default.

examples:
  jupyter mlops sweep train.ipynb --param max_depth=3:8 --metric auc
  jupyter mlops sweep train.ipynb --param seed=0:59 --minimize loss --slots 4 --run-timeout 600
  jupyter mlops sweep train.ipynb --param a=0:99 --param b=0:99 --random 50 --json > sweep.json
  jupyter mlops sweep train.ipynb --param a=1:3 --no-wait

Ctrl-C leaves the sweep running. A sweep whose first three runs fail alike pauses: in a terminal this
command says so and waits on; in a script (--json, or output that is no terminal) it stops the sweep and
ends with exit code 1.
"""


def add_actions(noun: Noun) -> None:
    """Everything that can be done with sweeps."""
    _add_start(noun)
    parser = noun.add("list", _list, "List sweeps, newest first.")
    parser.add_argument("--all", action="store_true", help="List archived sweeps, too.")
    noun.add("runs", _runs, "List the runs of a sweep.", "SWEEP", epilog=WHICH_SWEEP)
    text = "Show all about a sweep or a run: its values, its errors, where its files are."
    noun.add("show", _show, text, "SWEEP|RUN", epilog=WHICH_SWEEP)
    parser = noun.add(
        "open",
        _open,
        "Print the path of a run's executed notebook, and open it in JupyterLab.",
        "RUN",
        more="The notebook is executed as far as the run has got. In a terminal it is opened in the browser, too,\n"
        "where a JupyterLab is running that serves the notebook. Of a sweep, its best run is taken.",
        epilog=WHICH_SWEEP,
        json=False,
    )
    parser.add_argument(
        "--browser",
        action=argparse.BooleanOptionalAction,
        help="Open it in a running JupyterLab (default: in a terminal only).",
    )
    noun.add("wait", _wait, "Wait for the end of a sweep, as “sweep start” does.", "SWEEP", epilog=WHICH_SWEEP)
    text = "Stop a sweep or one run; kernels end within two seconds."
    noun.add("stop", _stop, text, "SWEEP|RUN", epilog=WHICH_SWEEP)
    text = "Start no more runs of a sweep; those that are running go on."
    noun.add("pause", _pause, text, "SWEEP", epilog=WHICH_SWEEP)
    noun.add("resume", _resume, "Go on with a paused sweep.", "SWEEP", epilog=WHICH_SWEEP)
    text = "Repeat the failed and stopped runs of a sweep, and wait for their end."
    parser = noun.add("retry", _retry, text, "SWEEP", epilog=WHICH_SWEEP)
    parser.add_argument("--no-wait", action="store_true", help="Return at once.")


def _add_start(noun: Noun) -> None:
    text = "Start a sweep, one run of NOTEBOOK for each combination of the values given, and wait for its end."
    parser = noun.add("start", _start, text, "NOTEBOOK", more=_START, epilog=_EXAMPLES)
    add, goal = parser.add_argument, parser.add_mutually_exclusive_group()
    add("-p", "--param", action="append", default=[], metavar="NAME=VALUES", help="Try these, see below; repeatable.")
    goal.add_argument("--metric", metavar="NAME", help="Compare runs by this metric; more is better.")
    goal.add_argument("--minimize", metavar="NAME", help="Compare runs by this metric; less is better.")
    add(
        "--record",
        action="append",
        default=[],
        metavar="NAME",
        help="Read this variable at the notebook's end as a metric, too; repeatable.",
    )
    add("--target", default="local", help="Run here: local (default), cuda, or tcp://host:port of a Dask scheduler.")
    add("--kernel", default="", metavar="NAME", help="Use another kernel than the one the notebook names.")
    add("--slots", type=whole, metavar="N", help="Run at most N at once.")
    add("--random", type=whole, metavar="N", help="Draw N different combinations instead of all.")
    add("--seed", type=int, metavar="N", help="Draw the same ones again (default: 0).")
    add("--name", default="", help="Name the sweep (default: notebook and time).")
    add("--experiment", default="", help="Name MLflow's experiment (default: the notebook's folder and name).")
    add("--cell-timeout", type=duration, metavar="TIME", help="Give a cell no more time than this.")
    add("--run-timeout", type=duration, metavar="TIME", help="Give a run no more time than this.")
    add(
        "--share-prefix",
        action="store_true",
        help="Execute the cells before the first that depends on what is tried once a slot instead of once a run.",
    )
    add("--no-wait", action="store_true", help="Start it, print its id, and return.")
    add("-y", "--yes", action="store_true", help="Do not ask before starting very many runs, or sharing cells.")


# -- starting and waiting ----------------------------------------------------------------------


def _start(session: Session, arguments: argparse.Namespace) -> int:
    file = Path(arguments.notebook).resolve()
    request = sweep_request(arguments, str(file))
    if not arguments.no_wait:
        session.check_service()
    _confirm(session, file, request, arguments)
    sweep = session.sweeps.create(file, request, session.kernelspecs())
    session.wake()
    if arguments.no_wait:
        return tell(arguments, {"sweep": sweep, "runs": []}, sweep.id)
    note(f"Sweep {short_id(sweep)}, “{sweep.name}”: {count_text(sweep.total)} of {file.name}.")
    return _see_through(session, sweep, arguments)


def sweep_request(arguments: argparse.Namespace, path: str) -> SweepRequest:
    """What the words of ``sweep start`` ask for.

    Raises:
        InvalidInputError: a ``--param`` is not NAME=VALUES, or --seed comes without --random.
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
        space=_space(arguments.param),
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


def _space(words: list[str]) -> dict[str, str]:
    """``NAME=VALUES`` by name; the values keep the text that ``core.search.space`` reads."""
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


def _confirm(session: Session, file: Path, request: SweepRequest, arguments: argparse.Namespace) -> None:
    """Show what a person should know before a sweep starts, and ask in a terminal."""
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
    from .watch import wait_for

    try:
        sweep = wait_for(session, sweep.id, definite=_is_script(arguments))
    except KeyboardInterrupt:
        which = short_id(sweep)
        paused = session.store.sweeps.get(sweep.id).state is SweepState.PAUSED
        how = f"stays paused. “jupyter mlops sweep resume {which}” goes on" if paused else "goes on in the background"
        note(
            f"The sweep {how}. “jupyter mlops sweep wait {which}” waits for it again, "
            f"“jupyter mlops sweep stop {which}” ends it."
        )
        raise
    runs = session.sweeps.runs(sweep.id)
    never = never_started(runs)
    begun = [run for run in best_first(sweep, runs) if run not in never]
    left = len(begun) - _MOST_ROWS
    more = [f"… and {count_text(left)} more: jupyter mlops sweep runs {short_id(sweep)}"] if left > 0 else []
    table = [runs_table(sweep, [*begun[:_MOST_ROWS], *never])] if runs else []
    tell(arguments, {"sweep": sweep, "runs": runs}, *table, *more, "", *last_word(sweep, runs))
    return 0 if sweep.state is SweepState.SUCCEEDED else 1


def _wait(session: Session, arguments: argparse.Namespace) -> int:
    sweep = session.find_sweep(arguments.sweep)
    if sweep.state not in SWEEP_OVER:
        session.check_service()
        session.wake()
    return _see_through(session, sweep, arguments)


def _retry(session: Session, arguments: argparse.Namespace) -> int:
    found = session.find_sweep(arguments.sweep)
    if not arguments.no_wait:
        session.check_service()
    sweep = session.sweeps.retry(found.id)
    session.wake()
    return _say_state(sweep, arguments) if arguments.no_wait else _see_through(session, sweep, arguments)


# -- looking -----------------------------------------------------------------------------------


def _list(session: Session, arguments: argparse.Namespace) -> int:
    sweeps = session.sweeps.listed(archived=None if arguments.all else False)
    none = "There is no sweep yet; “jupyter mlops sweep start --help” says how to start one."
    return tell_all(arguments, {"sweeps": sweeps}, lambda: sweeps_table(sweeps), none="" if sweeps else none)


def _runs(session: Session, arguments: argparse.Namespace) -> int:
    sweep = session.find_sweep(arguments.sweep)
    runs = session.sweeps.runs(sweep.id)
    shown = runs_table(sweep, runs) if runs else "No run is planned yet."
    return tell(arguments, {"sweep": sweep, "runs": runs}, shown)


def _show(session: Session, arguments: argparse.Namespace) -> int:
    found = session.find(arguments.sweep)
    layout = session.sweeps.layout
    if isinstance(found, Sweep):
        runs = session.sweeps.runs(found.id)
        document: dict[str, Any] = {"sweep": found, "runs": runs}
        return tell(arguments, document, sweep_details(found, layout), "", *last_word(found, runs))
    output = layout.output(found.id, found.attempt)
    document = {"run": found, "notebook": str(output) if output.exists() else None}
    traceback = ["", found.error.traceback.rstrip()] if found.error and found.error.traceback else []
    return tell(arguments, document, run_details(found, session.sweeps.sweep(found.sweep_id), layout), *traceback)


def _open(session: Session, arguments: argparse.Namespace) -> int:
    found = session.find(arguments.run)
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

        open_run(session.sweeps.sweep(found.sweep_id), found, wanted=bool(arguments.browser))
    return 0


# -- acting ------------------------------------------------------------------------------------


def _stop(session: Session, arguments: argparse.Namespace) -> int:
    found = session.find(arguments.sweep)
    sweeps = session.sweeps
    asked: Sweep | Run = sweeps.stop(found.id) if isinstance(found, Sweep) else sweeps.stop_run(found.id)
    session.check_service()
    session.wake()
    read = sweeps.sweep if isinstance(asked, Sweep) else sweeps.run
    over = session.until(lambda: read(asked.id), lambda what: what.state in SWEEP_OVER | RUN_OVER, short_id(asked))
    return _say_state(over, arguments)


def _pause(session: Session, arguments: argparse.Namespace) -> int:
    sweep = session.sweeps.pause(session.find_sweep(arguments.sweep).id)
    return _say_state(_reached(session, sweep, SWEEP_OVER | {SweepState.PAUSED}), arguments)


def _resume(session: Session, arguments: argparse.Namespace) -> int:
    sweep = session.sweeps.resume(session.find_sweep(arguments.sweep).id)
    return _say_state(_reached(session, sweep, set(SweepState) - {SweepState.PAUSED}), arguments)


def _reached(session: Session, sweep: Sweep, states: set[SweepState] | frozenset[SweepState]) -> Sweep:
    session.wake()
    return session.until(lambda: session.sweeps.sweep(sweep.id), lambda now: now.state in states, short_id(sweep))


def _say_state(what: Sweep | Run, arguments: argparse.Namespace) -> int:
    kind = "sweep" if isinstance(what, Sweep) else "run"
    return tell(arguments, {kind: what}, f"{short_id(what)} is {what.state}.")
