"""The actions of ``jupyter mlops pipeline`` on runs: start them, wait for them, look at them."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import InvalidInputError
from ..core.messages import Message
from ..core.pipelines.records import LogLine, PipelineRun
from ..core.pipelines.requests import PipelineRunDetails, PromoteRequest, RetryRequest, RunRequest
from ..core.states import PIPELINE_RUN_OVER, PipelineRunState
from ..core.values import all_wrong, check_overrides
from .output import first_line, note, print_json, tell, tell_all, when_text
from .parser import WHICH_PIPELINE, WHICH_RUN, Noun, add_values
from .pipeline_tables import counts_text, pipeline_runs_table, run_head, short_run, steps_table

if TYPE_CHECKING:
    from rich.table import Table

    from .session import Session

FAILED = 1
FILES = (".pipeline.yaml", ".pipeline.yml", ".ipynb")
_RUN = """\
Of a FILE a version is made first, as “promote” does: the newest version is the one that schedules fire, too.
Parameters given here override the pipeline's, in this run alone.
"""


def add_actions(noun: Noun) -> None:
    """Everything that can be done with runs of pipelines."""
    parser = noun.add("run", _run, "Run a pipeline now.", "FILE|PIPELINE", more=_RUN, epilog=WHICH_PIPELINE)
    add_values(parser, "Give a parameter this value: text, or JSON where the parameter is none; repeatable.")
    parser.add_argument("--scheduled-time", metavar="TIME", default="", help="Run it for this time (default: now).")
    parser.add_argument("--wait", action="store_true", help="Wait for its end; exit code 1 where it does not succeed.")
    noun.add("runs", _runs, "List the runs of a pipeline, newest first.", "PIPELINE", epilog=WHICH_PIPELINE)
    noun.add("wait", _wait, "Wait for the end of a run.", "RUN", epilog=WHICH_RUN)
    parser = noun.add("logs", _logs, "Show when a run's steps began and ended, and why.", "RUN", epilog=WHICH_RUN)
    parser.add_argument("-f", "--follow", action="store_true", help="Go on until the run's end.")
    noun.add("stop", _stop, "Stop a run; its kernels end within two seconds.", "RUN", epilog=WHICH_RUN)
    parser = noun.add(
        "retry", _retry, "Repeat the failed steps of a run, and all behind them.", "RUN", epilog=WHICH_RUN
    )
    parser.add_argument("--step", metavar="STEP", default="", help="Repeat from this one on, whether it failed or not.")
    parser.add_argument("--wait", action="store_true", help="Wait for the run's end.")


def parse_values(words: list[str], defaults: dict[str, Any]) -> dict[str, Any]:
    """``NAME=VALUE`` by name, with the types of a pipeline's parameters.

    Raises:
        InvalidInputError: one is something else, is unknown, or is of another type.
    """
    values: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        name = name.strip()
        if not equals or not name:
            raise InvalidInputError(Message("“{word}” is no NAME=VALUE, such as month=3.", word=word))
        values[name] = text if isinstance(defaults.get(name), str) else _value(text)
    values, problems = check_overrides(values, defaults)
    if problems:
        raise all_wrong(problems.values())
    return values


def _value(text: str) -> Any:
    words = {"True": True, "False": False, "None": None}
    if text in words:
        return words[text]
    try:
        return json.loads(text)
    except ValueError:
        return text


def is_file(text: str) -> bool:
    """Whether a word names a file, and not something in the store."""
    return text.endswith(FILES) or Path(text).is_file()


# -- acting ------------------------------------------------------------------------------------


def _run(session: Session, arguments: argparse.Namespace) -> int:
    if arguments.wait:
        session.check_service()
    if is_file(arguments.file):
        request = PromoteRequest(path=str(Path(arguments.file).absolute()))
        answer = session.pipelines.promote(request, session.kernelspecs())
        pipeline = answer.pipeline
        note(f"“{pipeline.name}” has version {answer.version.number}, of this file as it is now.")
    else:
        pipeline = session.find_pipeline(arguments.file)
    defaults = session.pipelines.version(pipeline.id, pipeline.version).definition.parameters
    values = parse_values(arguments.param, defaults)
    made = session.pipelines.start(pipeline.id, RunRequest(parameters=values, scheduled_time=arguments.scheduled_time))
    session.wake()
    if arguments.wait:
        note(f"Run {short_run(made)} of “{pipeline.name}”.")
        return _see_through(session, made, arguments)
    return _told(made, arguments, "is asked for")


def _wait(session: Session, arguments: argparse.Namespace) -> int:
    found = session.find_pipeline_run(arguments.run)
    if found.state not in PIPELINE_RUN_OVER:
        session.check_service()
        session.wake()
    return _see_through(session, found, arguments)


def _retry(session: Session, arguments: argparse.Namespace) -> int:
    found = session.find_pipeline_run(arguments.run)
    if arguments.wait:
        session.check_service()
    again = session.pipelines.retry(found.id, RetryRequest(step=arguments.step))
    session.wake()
    return _see_through(session, again, arguments) if arguments.wait else _told(again, arguments, "is repeated")


def _stop(session: Session, arguments: argparse.Namespace) -> int:
    found = session.pipelines.stop(session.find_pipeline_run(arguments.run).id)
    session.check_service()
    session.wake()
    read = session.store.pipeline_runs.get
    found = session.until(lambda: read(found.id), lambda run: run.state in PIPELINE_RUN_OVER, short_run(found))
    return _told(found, arguments, f"is {found.state}")


def _told(found: PipelineRun, arguments: argparse.Namespace, what: str) -> int:
    return tell(arguments, {"run": found}, f"{short_run(found)} {what}.")


def _see_through(session: Session, found: PipelineRun, arguments: argparse.Namespace) -> int:
    """Wait for a run's end and print it; 0 where it succeeded."""
    which, said = short_run(found), ""
    try:
        for now in _changes(session, found.id):
            line = counts_text(now) or now.message or now.state.value
            if line != said:
                note(line)
            said = line
    except KeyboardInterrupt:
        note(
            f"The run goes on in the background. “jupyter mlops pipeline wait {which}” waits for it again, "
            f"“jupyter mlops pipeline stop {which}” ends it."
        )
        raise
    tell_run(session, now, arguments)
    return 0 if now.state is PipelineRunState.SUCCEEDED else FAILED


def _changes(session: Session, run_id: str) -> Iterator[PipelineRun]:
    """A run each time that something changed, until it is over; the service is kept alive meanwhile."""
    from .session import POLL_SECONDS
    from .watch import ServiceWatch

    service, seen = ServiceWatch(session, note), -1
    while True:
        revision = session.store.revision()
        if revision != seen:
            seen = revision
            found = session.store.pipeline_runs.get(run_id)
            yield found
            if found.state in PIPELINE_RUN_OVER:
                return
        service.look()
        time.sleep(POLL_SECONDS)


# -- looking -----------------------------------------------------------------------------------


def _runs(session: Session, arguments: argparse.Namespace) -> int:
    pipeline = session.find_pipeline(arguments.pipeline)
    found = session.pipelines.runs(pipeline.id).runs
    none = "" if found else f"“{pipeline.name}” has not run yet."
    return tell_all(arguments, {"pipeline": pipeline, "runs": found}, lambda: pipeline_runs_table(found), none=none)


def _logs(session: Session, arguments: argparse.Namespace) -> int:
    found = session.find_pipeline_run(arguments.run)
    printed: list[LogLine] = []
    for run in _changes(session, found.id) if arguments.follow else [found]:
        lines = log_lines(session.pipelines.run_details(run.id))
        for line in lines if not arguments.json else []:
            if line not in printed:
                print(log_text(line), flush=True)
        printed = lines
    if arguments.json:
        print_json({"log": printed})
    elif not printed:
        note(f"{short_run(found)} is {found.state}; nothing happened in it yet.")
    return 0


def log_lines(details: PipelineRunDetails) -> list[LogLine]:
    """What happened in a run, by time: its own log, and the starts and ends of its steps."""
    lines = list(details.run.log)
    for step in details.steps:
        if step.started_at:
            said = Message("started, attempt {number}" if step.attempt > 1 else "started", number=step.attempt)
            lines.append(LogLine(at=step.started_at, step=step.step, text=said))
        if step.ended_at:
            why = first_line(step.error.message if step.error else step.message)
            said = Message("{state}: {why}" if why else "{state}", state=step.state, why=why)
            lines.append(LogLine(at=step.ended_at, step=step.step, text=said))
    if details.run.ended_at:
        lines.append(LogLine(at=details.run.ended_at, text=Message("The run {state}.", state=details.run.state)))
    return sorted(lines, key=lambda line: line.at)


def log_text(line: LogLine) -> str:
    """One line of it, with its time."""
    return f"{when_text(line.at, seconds=True)}  {line.step + ': ' if line.step else ''}{line.text}"


def tell_run(session: Session, found: PipelineRun, arguments: argparse.Namespace) -> int:
    """All about a run."""
    details = session.pipelines.run_details(found.id)
    shown: list[str | Table] = [run_head(details.run, session.store.pipelines.get(found.pipeline_id).name)]
    if details.steps:
        shown += ["", steps_table(details.steps)]
    if details.run.log:
        shown += ["", *(log_text(line) for line in details.run.log)]
    for step in details.steps:
        if step.error:
            shown += ["", f"{step.step}: {step.error.name}: {step.error.message}", step.error.traceback.rstrip()]
    return tell(arguments, details, *shown)
