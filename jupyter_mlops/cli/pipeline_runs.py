"""Running pipelines, and what the commands on their runs do."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..core.errors import InvalidInputError, UnavailableError
from ..core.messages import Message
from ..core.pipelines.records import PipelineRun
from ..core.pipelines.requests import PromoteRequest, RetryRequest, RunRequest
from ..core.states import PIPELINE_RUN_OVER, PipelineRunState
from ..core.values import all_wrong, check_overrides
from . import starting
from .output import console, note, print_json
from .pipeline_finding import find_pipeline, find_pipeline_run
from .pipeline_tables import counts_text, pipeline_runs_table, run_head, short_run, steps_table
from .session import Session
from .tables import when_text
from .watch import POLL_SECONDS, ServiceWatch

ACT_SECONDS = 30.0
FAILED = 1
FILES = (".pipeline.yaml", ".pipeline.yml", ".ipynb")


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


# -- starting ----------------------------------------------------------------------------------


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Run a pipeline, or the version that is made of a file first."""
    if arguments.wait:
        starting.check_service(session)
    if is_file(arguments.what):
        request = PromoteRequest(path=str(Path(arguments.what).absolute()))
        answer = session.pipelines.promote(request, session.kernelspecs())
        pipeline = answer.pipeline
        note(f"“{pipeline.name}” has version {answer.version.number}, of this file as it stands.")
    else:
        pipeline = find_pipeline(session, arguments.what)
    defaults = session.pipelines.version(pipeline.id, pipeline.version).definition.parameters
    values = parse_values(arguments.param, defaults)
    made = session.pipelines.start(pipeline.id, RunRequest(parameters=values, scheduled_time=arguments.scheduled_time))
    session.wake()
    if arguments.wait:
        note(f"Run {short_run(made)} of “{pipeline.name}”.")
        return _see_through(session, made, arguments)
    return _told(made, arguments, "is asked for")


def is_file(text: str) -> bool:
    """Whether a word names a file, and not something in the store."""
    return text.endswith(FILES) or Path(text).is_file()


def wait(session: Session, arguments: argparse.Namespace) -> int:
    """Wait for the end of a run that was started before."""
    found = find_pipeline_run(session, arguments.run)
    if found.state not in PIPELINE_RUN_OVER:
        starting.check_service(session)
        session.wake()
    return _see_through(session, found, arguments)


def retry(session: Session, arguments: argparse.Namespace) -> int:
    """Repeat what failed of a run, and all behind it."""
    found = find_pipeline_run(session, arguments.run)
    if arguments.wait:
        starting.check_service(session)
    again = session.pipelines.retry(found.id, RetryRequest(step=arguments.step))
    session.wake()
    return _see_through(session, again, arguments) if arguments.wait else _told(again, arguments, "is repeated")


def stop(session: Session, arguments: argparse.Namespace) -> int:
    """Stop a run, and wait until its kernels are gone."""
    found = session.pipelines.stop(find_pipeline_run(session, arguments.run).id)
    starting.check_service(session)
    session.wake()
    deadline = time.monotonic() + ACT_SECONDS
    while found.state not in PIPELINE_RUN_OVER:
        if time.monotonic() > deadline:
            raise UnavailableError(
                Message(
                    "It is asked for, but {short_run} is still {state}; see “jupyter mlops service log”.",
                    short_run=short_run(found),
                    state=found.state,
                )
            )
        time.sleep(POLL_SECONDS)
        found = session.store.pipeline_runs.get(found.id)
    return _told(found, arguments, f"is {found.state}")


def _told(found: PipelineRun, arguments: argparse.Namespace, what: str) -> int:
    if arguments.json:
        print_json({"run": found})
    else:
        print(f"{short_run(found)} {what}.")
    return 0


# -- waiting -----------------------------------------------------------------------------------


def _see_through(session: Session, found: PipelineRun, arguments: argparse.Namespace) -> int:
    """Wait for a run's end and print it; 0 where it succeeded."""
    which = short_run(found)
    try:
        over = _wait_for(session, found.id, note)
    except KeyboardInterrupt:
        note(
            f"The run goes on in the background. “jupyter mlops pipeline wait {which}” waits for it again, "
            f"“jupyter mlops pipeline stop {which}” ends it."
        )
        raise
    _print(session, over, arguments)
    return 0 if over.state is PipelineRunState.SUCCEEDED else FAILED


def _wait_for(session: Session, run_id: str, say: Callable[[str], None]) -> PipelineRun:
    service = ServiceWatch(session, say)
    seen, said = -1, ""
    while True:
        revision = session.store.revision()
        if revision != seen:
            seen = revision
            found = session.store.pipeline_runs.get(run_id)
            line = counts_text(found) or found.message or found.state.value
            if line != said:
                said = line
                say(line)
            if found.state in PIPELINE_RUN_OVER:
                return found
        service.look()
        time.sleep(POLL_SECONDS)


# -- looking -----------------------------------------------------------------------------------


def runs(session: Session, arguments: argparse.Namespace) -> int:
    """List the runs of a pipeline."""
    pipeline = find_pipeline(session, arguments.pipeline)
    found = session.pipelines.runs(pipeline.id).runs
    if arguments.json:
        print_json({"pipeline": pipeline, "runs": found})
    elif found:
        console().print(pipeline_runs_table(found))
    else:
        note(f"“{pipeline.name}” has not run yet.")
    return 0


def show(session: Session, arguments: argparse.Namespace) -> int:
    """All about a run."""
    _print(session, find_pipeline_run(session, arguments.run), arguments)
    return 0


def _print(session: Session, found: PipelineRun, arguments: argparse.Namespace) -> None:
    details = session.pipelines.run_details(found.id)
    if arguments.json:
        print_json({name: getattr(details, name) for name in details.__struct_fields__})
        return
    out = console()
    out.print(run_head(details.run, session.store.pipelines.get(found.pipeline_id).name))
    if details.steps:
        out.print()
        out.print(steps_table(details.steps))
    if details.run.log:
        out.print()
    for line in details.run.log:
        out.print(f"{when_text(line.at, seconds=True)}  {line.step + ': ' if line.step else ''}{line.text}")
    for step in details.steps:
        if step.error:
            out.print()
            out.print(f"{step.step}: {step.error.name}: {step.error.message}")
            if step.error.traceback:
                out.print(step.error.traceback.rstrip(), soft_wrap=True)
