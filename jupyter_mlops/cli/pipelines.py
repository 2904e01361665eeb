"""What the commands on pipelines do: looking at them, pausing them, rolling them back."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from ..core.errors import InvalidInputError
from ..core.messages import Message
from ..core.pipelines.records import Pipeline
from ..core.pipelines.requests import PipelineChange
from ..services.user_files import read_file
from . import pipeline_runs, promoting
from .output import console, note, print_json
from .pipeline_finding import find_pipeline
from .pipeline_tables import diff_lines, graph_table, pipeline_details, pipelines_table, schedules_table
from .session import Session

WRONG = 2
Command = Callable[[Session, argparse.Namespace], int]


def pipeline(session: Session, arguments: argparse.Namespace) -> int:
    """Do what an action of ``pipeline`` says."""
    return _ONE[arguments.action](session, arguments)


def pipelines(session: Session, arguments: argparse.Namespace) -> int:
    """Do what an action of ``pipelines`` says."""
    return _MANY[arguments.action](session, arguments)


def names(session: Session) -> dict[str, str]:
    """Names of all pipelines by id."""
    return {found.id: found.name for found in session.pipelines.listed(deleted=None)}


# -- files -------------------------------------------------------------------------------------


def _validate(session: Session, arguments: argparse.Namespace) -> int:
    from ..services.pipelines.pipeline_file import check

    file = Path(arguments.file).absolute()
    found = check(file, read_file(file, "pipeline file").decode(errors="replace"))
    if arguments.json:
        print_json({"check": found})
        return WRONG if found.problems else 0
    for problem in found.problems:
        note(f"{arguments.file}:{problem.line}:{problem.column}: {problem.message}")
    if found.problems or found.definition is None:
        return WRONG
    definition = found.definition
    count = len(definition.steps)
    print(f"“{definition.name or file.name.partition('.')[0]}” has {count} step{'s' * (count != 1)}:")
    console().print(graph_table(found.graph))
    return 0


def _export(session: Session, arguments: argparse.Namespace) -> int:
    from .exporting import write_dag

    return write_dag(session, arguments)


# -- pipelines ---------------------------------------------------------------------------------


def _list(session: Session, arguments: argparse.Namespace) -> int:
    found = session.pipelines.listed(deleted=arguments.deleted)
    if arguments.json:
        print_json({"pipelines": found})
    elif found:
        console().print(pipelines_table(found))
    elif arguments.deleted:
        note("No deleted pipeline is left that could be restored.")
    else:
        note("There is no pipeline yet; “jupyter mlops pipeline promote --help” says how to make one.")
    return 0


def _show(session: Session, arguments: argparse.Namespace) -> int:
    details = session.pipelines.details(find_pipeline(session, arguments.pipeline).id)
    if arguments.json:
        print_json({name: getattr(details, name) for name in details.__struct_fields__})
        return 0
    out = console()
    out.print(pipeline_details(details))
    out.print()
    out.print(graph_table(details.graph))
    if details.triggers:
        out.print()
        out.print(schedules_table(details.triggers, names(session)))
    return 0


def _pause(session: Session, arguments: argparse.Namespace) -> int:
    return _changed(session, arguments, PipelineChange(paused=True), "is paused: nothing starts it but a person")


def _resume(session: Session, arguments: argparse.Namespace) -> int:
    return _changed(session, arguments, PipelineChange(paused=False), "goes on: its schedules fire from now on")


def _rename(session: Session, arguments: argparse.Namespace) -> int:
    return _changed(session, arguments, PipelineChange(name=arguments.name), "has its new name")


def _rollback(session: Session, arguments: argparse.Namespace) -> int:
    found = find_pipeline(session, arguments.pipeline)
    number = arguments.version if arguments.version is not None else found.version - 1
    if arguments.version is None and number < 1:
        raise InvalidInputError(
            Message(
                "Version {version} of “{name}” fires, and there is none before it.",
                version=found.version,
                name=found.name,
            )
        )
    return _changed(session, arguments, PipelineChange(version=number), f"fires version {number} from now on")


def _changed(session: Session, arguments: argparse.Namespace, change: PipelineChange, what: str) -> int:
    found = session.pipelines.change(find_pipeline(session, arguments.pipeline).id, change)
    wake_for_schedules(session, found)
    return _told(found, arguments, what)


def _told(found: Pipeline, arguments: argparse.Namespace, what: str) -> int:
    if arguments.json:
        print_json({"pipeline": found})
    else:
        print(f"“{found.name}” {what}.")
    return 0


def wake_for_schedules(session: Session, found: Pipeline) -> None:
    """Start the service where something is to fire a pipeline."""
    if not found.paused and session.store.triggers.find(found.id):
        session.wake()


def _diff(session: Session, arguments: argparse.Namespace) -> int:
    found = find_pipeline(session, arguments.pipeline)
    diff = session.pipelines.diff(found.id, arguments.older, arguments.newer)
    if arguments.json:
        print_json({"diff": diff})
        return 0
    for line in diff_lines(diff):
        print(line)
    return 0


def _delete(session: Session, arguments: argparse.Namespace) -> int:
    found = find_pipeline(session, arguments.pipeline)
    session.pipelines.delete(found.id)
    what = f"is deleted; “jupyter mlops pipelines restore {found.id[:8]}” brings it back"
    return _told(session.store.pipelines.get(found.id), arguments, what)


def _restore(session: Session, arguments: argparse.Namespace) -> int:
    found = session.pipelines.restore(find_pipeline(session, arguments.pipeline, deleted=True).id)
    wake_for_schedules(session, found)
    return _told(found, arguments, "is back")


_ONE: dict[str, Command] = {
    "validate": _validate,
    "run": pipeline_runs.run,
    "promote": promoting.promote,
    "export": _export,
    "runs": pipeline_runs.runs,
    "show": pipeline_runs.show,
    "wait": pipeline_runs.wait,
    "stop": pipeline_runs.stop,
    "retry": pipeline_runs.retry,
}
_MANY: dict[str, Command] = {
    "list": _list,
    "show": _show,
    "pause": _pause,
    "resume": _resume,
    "rename": _rename,
    "rollback": _rollback,
    "diff": _diff,
    "delete": _delete,
    "restore": _restore,
}
