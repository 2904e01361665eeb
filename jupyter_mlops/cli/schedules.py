"""What the commands on schedules and triggers do, and backfill."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..core.errors import InvalidInputError
from ..core.messages import Message
from ..core.pipelines.records import Trigger
from ..core.pipelines.requests import BackfillRequest, ScheduleRequest, TriggerChange
from .output import console, note, print_json
from .pipeline_finding import find_pipeline, find_trigger
from .pipeline_runs import parse_values
from .pipeline_tables import schedules_table, trigger_text
from .pipelines import Command, names
from .session import Session
from .tables import SHORT, when_text
from .zones import cron_request

_MOST_TIMES = 20


def schedules(session: Session, arguments: argparse.Namespace) -> int:
    """Do what an action says."""
    return _ACTIONS[arguments.action](session, arguments)


def _list(session: Session, arguments: argparse.Namespace) -> int:
    pipeline = find_pipeline(session, arguments.pipeline) if arguments.pipeline else None
    shown = {found.id for found in session.pipelines.listed()}
    triggers = [
        session.pipelines.shown_trigger(trigger.id)
        for trigger in session.store.triggers.find(pipeline.id if pipeline else None)
        if trigger.pipeline_id in shown
    ]
    if arguments.json:
        print_json({"schedules": triggers})
    elif triggers:
        console().print(schedules_table(triggers, names(session)))
    else:
        note("There is no schedule yet; “jupyter mlops schedules add --help” says how to make one.")
    return 0


def _add(session: Session, arguments: argparse.Namespace) -> int:
    pipeline = find_pipeline(session, arguments.pipeline)
    definition = session.pipelines.version(pipeline.id, pipeline.version).definition
    asked = cron_request(arguments)
    if arguments.on and not arguments.after:
        raise InvalidInputError(Message("--on says which end of another pipeline counts; it goes with --after alone."))
    request = ScheduleRequest(
        kind="cron" if asked else "files" if arguments.files else "pipeline" if arguments.after else "http",
        cron=asked.cron if asked else "",
        zone=asked.zone if asked else "UTC",
        pattern=_whole(arguments.files or ""),
        upstream=find_pipeline(session, arguments.after).id if arguments.after else "",
        on=arguments.on or "succeeded",
        overlap=arguments.overlap,
        missed=arguments.missed,
        grace=arguments.grace,
        parameters=parse_values(arguments.param, definition.parameters),
    )
    answer = session.pipelines.add_trigger(pipeline.id, request)
    session.wake()
    if arguments.json:
        print_json({"schedule": answer.trigger, "token": answer.token})
        return 0
    print(f"Schedule {answer.trigger.id[:SHORT]} starts “{pipeline.name}”{_next(answer.trigger, session)}.")
    if answer.token:
        note("Its token is shown this once. Call it at a Jupyter server's address:")
        print(
            f'curl -X POST -H "Authorization: Bearer {answer.token}" '
            f"http://localhost:8888/mlops/triggers/{answer.trigger.id}/call"
        )
    return 0


def _whole(pattern: str) -> str:
    # whoever types it means the folder they are in
    return pattern if not pattern or "://" in pattern or "::" in pattern else str(Path(pattern).expanduser().absolute())


def _next(trigger: Trigger, session: Session) -> str:
    text = trigger_text(trigger, names(session))
    following = f"; next {when_text(trigger.next_at)}" if trigger.kind == "cron" and trigger.next_at else ""
    return f" ({text}){following}"


def _pause(session: Session, arguments: argparse.Namespace) -> int:
    return _enabled(session, arguments, enabled=False)


def _resume(session: Session, arguments: argparse.Namespace) -> int:
    return _enabled(session, arguments, enabled=True)


def _enabled(session: Session, arguments: argparse.Namespace, *, enabled: bool) -> int:
    found = find_trigger(session, arguments.schedule)
    trigger = session.pipelines.change_trigger(found.id, TriggerChange(enabled=enabled))
    if enabled:
        session.wake()
    if arguments.json:
        print_json({"schedule": trigger})
    elif enabled:
        print(f"Schedule {trigger.id[:SHORT]} goes on{_next(trigger, session)}.")
    else:
        print(f"Schedule {trigger.id[:SHORT]} is paused.")
    return 0


def _remove(session: Session, arguments: argparse.Namespace) -> int:
    trigger = find_trigger(session, arguments.schedule)
    session.pipelines.delete_trigger(trigger.id)
    if arguments.json:
        print_json({"schedule": trigger})
    else:
        print(f"Schedule {trigger.id[:SHORT]} is removed; what it started stays.")
    return 0


def backfill(session: Session, arguments: argparse.Namespace) -> int:
    """Run a schedule's past times."""
    pipeline = find_pipeline(session, arguments.pipeline)
    answer = session.pipelines.backfill(
        pipeline.id,
        BackfillRequest(
            start=arguments.start,
            end=arguments.end,
            trigger_id=find_trigger(session, arguments.schedule).id if arguments.schedule else "",
            dry_run=arguments.dry_run,
        ),
    )
    if not arguments.dry_run:
        session.wake()
    if arguments.json:
        print_json({"backfill": answer})
        return 0
    for time in answer.times[:_MOST_TIMES]:
        print(when_text(time))
    if len(answer.times) > _MOST_TIMES:
        print(f"… and {len(answer.times) - _MOST_TIMES:,} more")
    new = len(answer.times) - answer.known
    known = f"; {answer.known:,} of {len(answer.times):,} fired already" if answer.known else ""
    made = "would be made" if arguments.dry_run else f"wait{'s' * (new == 1)} for {'its' if new == 1 else 'their'} turn"
    note(f"{new:,} run{'s' * (new != 1)} of “{pipeline.name}” {made}{known}.")
    return 0


_ACTIONS: dict[str, Command] = {
    "list": _list,
    "add": _add,
    "pause": _pause,
    "resume": _resume,
    "remove": _remove,
}
