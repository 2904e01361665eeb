"""``jupyter mlops trigger``: run pipelines on new files, after another pipeline, or on a call.

A schedule is a trigger by time; the two share their actions.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import InvalidInputError
from ..core.messages import Message
from ..core.pipelines.requests import ScheduleRequest, TriggerChange
from .output import SHORT, note, print_json, tell, tell_all, when_text
from .parser import WHICH_PIPELINE, Noun, Parser, add_values
from .pipeline_runs import parse_values
from .pipeline_tables import trigger_details, trigger_text, triggers_table

if TYPE_CHECKING:
    from ..core.pipelines.records import Trigger
    from .session import Session

EPILOG = WHICH_PIPELINE


def add_actions(noun: Noun) -> None:
    """Everything that can be done with triggers."""
    add_shared(noun, "trigger")
    text = "Run a pipeline on new files, after another pipeline's end, or on a call."
    parser = noun.add("add", _add, text, "PIPELINE", epilog=WHICH_PIPELINE)
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument(
        "--files", metavar="PATTERN", help="Run it on new or changed files: a path, or an address such as s3://…."
    )
    kind.add_argument("--after", metavar="PIPELINE", help="Run it when this pipeline has ended.")
    kind.add_argument("--http", action="store_true", help="Run it on a call with a token, which is printed this once.")
    parser.add_argument(
        "--on", choices=("succeeded", "failed", "ended"), help="Let this end count for --after (default: succeeded)."
    )
    add_run_options(parser)


def add_shared(noun: Noun, what: str) -> None:
    """The actions that schedules and triggers have in common.

    Args:
        what: ``schedule`` or ``trigger``.
    """
    parser = noun.add("list", partial(_list, what), f"List {what}s, of all pipelines or of one.", epilog=WHICH_PIPELINE)
    parser.add_argument("pipeline", metavar="PIPELINE", nargs="?")
    which = f"{what.upper()} is an id, or as much of its beginning as is unambiguous."
    for name, run, text in (
        ("show", _show, f"Show all about a {what}."),
        ("pause", _pause, f"Let a {what} fire no more for now."),
        ("resume", _resume, f"Let a {what} fire again, from now on."),
        ("remove", _remove, f"Remove a {what}; the runs that it started stay."),
    ):
        noun.add(name, partial(run, what), text, what.upper(), epilog=which)


def add_run_options(parser: Parser) -> None:
    """How the runs are that a schedule or a trigger starts."""
    parser.add_argument(
        "--overlap",
        choices=("queue", "skip", "replace"),
        default="queue",
        help="While an earlier run goes on, queue the new one (default), skip it, or let it replace the earlier one.",
    )
    add_values(parser, "Give a parameter this value in the runs that it starts; repeatable.")


def _list(what: str, session: Session, arguments: argparse.Namespace) -> int:
    pipeline = session.find_pipeline(arguments.pipeline) if arguments.pipeline else None
    shown = {found.id for found in session.pipelines.listed()}
    found = [
        session.pipelines.shown_trigger(trigger.id)
        for trigger in session.store.triggers.find(pipeline.id if pipeline else None)
        if trigger.pipeline_id in shown and _noun(trigger) == what
    ]
    none = "" if found else f"There is no {what} yet; “jupyter mlops {what} add --help” says how to make one."
    names = session.pipeline_names()
    return tell_all(arguments, {f"{what}s": found}, lambda: triggers_table(found, names, what), none=none)


def _noun(trigger: Trigger) -> str:
    return "schedule" if trigger.kind == "cron" else "trigger"


def _show(what: str, session: Session, arguments: argparse.Namespace) -> int:
    found = _find(what, session, arguments)
    return tell(arguments, {what: found}, trigger_details(found, session.pipeline_names(), what))


def _add(session: Session, arguments: argparse.Namespace) -> int:
    if arguments.on and not arguments.after:
        raise InvalidInputError(Message("--on says which end of another pipeline counts; it goes with --after alone."))
    pattern = arguments.files or ""
    if pattern and "://" not in pattern and "::" not in pattern:
        # a person means the folder that the command runs in
        pattern = str(Path(pattern).expanduser().absolute())
    return create(
        session,
        arguments,
        "trigger",
        kind="files" if pattern else "pipeline" if arguments.after else "http",
        pattern=pattern,
        upstream=session.find_pipeline(arguments.after).id if arguments.after else "",
        on=arguments.on or "succeeded",
    )


def create(session: Session, arguments: argparse.Namespace, what: str, **options: Any) -> int:
    """Make a schedule or a trigger, and say what it does.

    Args:
        what: ``schedule`` or ``trigger``.
        options: of :class:`~jupyter_mlops.core.pipelines.requests.ScheduleRequest`, those of its kind.
    """
    pipeline = session.find_pipeline(arguments.pipeline)
    definition = session.pipelines.version(pipeline.id, pipeline.version).definition
    values = parse_values(arguments.param, definition.parameters)
    request = ScheduleRequest(overlap=arguments.overlap, parameters=values, **options)
    answer = session.pipelines.add_trigger(pipeline.id, request)
    session.wake()
    if arguments.json:
        print_json({what: answer.trigger, "token": answer.token})
        return 0
    print(f"{what.capitalize()} {answer.trigger.id[:SHORT]} starts “{pipeline.name}”{_next(answer.trigger, session)}.")
    if answer.token:
        note("Its token is shown this once. Call it at a Jupyter server's address:")
        print(
            f'curl -X POST -H "Authorization: Bearer {answer.token}" '
            f"http://localhost:8888/mlops/triggers/{answer.trigger.id}/call"
        )
    return 0


def _next(trigger: Trigger, session: Session) -> str:
    following = f"; next {when_text(trigger.next_at)}" if trigger.kind == "cron" and trigger.next_at else ""
    return f" ({trigger_text(trigger, session.pipeline_names())}){following}"


def _pause(what: str, session: Session, arguments: argparse.Namespace) -> int:
    found = session.pipelines.change_trigger(_find(what, session, arguments).id, TriggerChange(enabled=False))
    return _told(what, found, arguments, "is paused")


def _resume(what: str, session: Session, arguments: argparse.Namespace) -> int:
    found = session.pipelines.change_trigger(_find(what, session, arguments).id, TriggerChange(enabled=True))
    session.wake()
    return _told(what, found, arguments, f"goes on{_next(found, session)}")


def _remove(what: str, session: Session, arguments: argparse.Namespace) -> int:
    found = _find(what, session, arguments)
    session.pipelines.delete_trigger(found.id)
    return _told(what, found, arguments, "is removed; the runs that it started stay")


def _find(what: str, session: Session, arguments: argparse.Namespace) -> Trigger:
    return session.find_trigger(getattr(arguments, what), timed=what == "schedule")


def _told(what: str, found: Trigger, arguments: argparse.Namespace, text: str) -> int:
    return tell(arguments, {what: found}, f"{what.capitalize()} {found.id[:SHORT]} {text}.")
