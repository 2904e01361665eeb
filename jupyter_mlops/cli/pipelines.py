"""``jupyter mlops pipeline``: check and promote pipelines, look at them, pause them, roll them back."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import InvalidInputError
from ..core.messages import Message
from ..core.pipelines.records import Pipeline
from ..core.pipelines.requests import PipelineChange
from . import pipeline_runs, promotion
from .output import SHORT, note, print_json, print_table, tell, tell_all
from .parser import WHICH_PIPELINE, WHICH_RUN, Noun, whole
from .pipeline_tables import diff_lines, graph_table, pipeline_details, pipelines_table, triggers_table

if TYPE_CHECKING:
    from rich.table import Table

    from .session import Session

WRONG = 2
EPILOG = WHICH_RUN


def add_actions(noun: Noun) -> None:
    """Everything that can be done with pipelines and their runs."""
    parser = noun.add("list", _list, "List pipelines: how their last runs went, when they fire next.")
    parser.add_argument("--deleted", action="store_true", help="List those that were deleted and can be restored.")
    text = "Show all about a pipeline (its versions, steps and schedules) or a run (its steps, log and errors)."
    noun.add("show", _show, text, "PIPELINE|RUN", epilog=WHICH_RUN)
    noun.add(
        "validate",
        _validate,
        "Say what is wrong with a pipeline file, or else what it does.",
        "FILE",
        more="Each problem is one line, FILE:LINE:COLUMN: message. Notebooks are looked at; nothing is run or stored.",
    )
    promotion.add_actions(noun)
    pipeline_runs.add_actions(noun)
    for name, run, text in (
        ("pause", _pause, "Let nothing start a pipeline but a person."),
        ("resume", _resume, "Let the schedules of a pipeline fire again, from now on."),
        ("delete", _delete, "Put a pipeline aside; for 30 days it can be restored."),
        ("restore", _restore, "Bring a deleted pipeline back."),
    ):
        noun.add(name, run, text, "PIPELINE", epilog=WHICH_PIPELINE)
    noun.add(
        "test-alert", _test_alert, "Send a test to a pipeline's alert addresses.", "PIPELINE", epilog=WHICH_PIPELINE
    )
    noun.add("rename", _rename, "Give a pipeline another name.", "PIPELINE", "NAME", epilog=WHICH_PIPELINE)
    text = "Let another version fire: VERSION, or the one before the one that fires now."
    parser = noun.add("rollback", _rollback, text, "PIPELINE", epilog=WHICH_PIPELINE)
    parser.add_argument("version", metavar="VERSION", nargs="?", type=whole)
    text = "Show what is different between two versions."
    parser = noun.add("diff", _diff, text, "PIPELINE", epilog=WHICH_PIPELINE)
    parser.add_argument("older", metavar="A", type=whole)
    parser.add_argument("newer", metavar="B", type=whole)


def _validate(session: Session, arguments: argparse.Namespace) -> int:
    from ..services.pipelines.pipeline_file import check
    from ..services.user_files import read_file

    file = Path(arguments.file).absolute()
    text = read_file(file, "pipeline file").decode(errors="replace")
    found = check(file, text, session.settings.max_runs, session.pipelines.targets)
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
    print_table(graph_table(found.graph))
    return 0


def _list(session: Session, arguments: argparse.Namespace) -> int:
    found = session.pipelines.listed(deleted=arguments.deleted)
    none = "There is no pipeline yet; “jupyter mlops pipeline promote --help” says how to make one."
    if arguments.deleted:
        none = "No deleted pipeline is left that could be restored."
    return tell_all(arguments, {"pipelines": found}, lambda: pipelines_table(found), none="" if found else none)


def _show(session: Session, arguments: argparse.Namespace) -> int:
    text = arguments.pipeline
    if not session.is_pipeline(text) and (
        "-" in text or any(run.id.startswith(text) for run in session.store.pipeline_runs.find())
    ):
        return pipeline_runs.tell_run(session, session.find_pipeline_run(text), arguments)
    details = session.pipelines.details(session.find_pipeline(text).id)
    names = session.pipeline_names()
    shown: list[str | Table] = [pipeline_details(details), "", graph_table(details.graph)]
    if details.triggers:
        shown += ["", triggers_table(details.triggers, names, "started by")]
    return tell(arguments, details, *shown)


# -- changing ----------------------------------------------------------------------------------


def _pause(session: Session, arguments: argparse.Namespace) -> int:
    return _changed(session, arguments, PipelineChange(paused=True), "is paused: nothing starts it but a person")


def _resume(session: Session, arguments: argparse.Namespace) -> int:
    return _changed(session, arguments, PipelineChange(paused=False), "goes on: its schedules fire from now on")


def _rename(session: Session, arguments: argparse.Namespace) -> int:
    return _changed(session, arguments, PipelineChange(name=arguments.name), "has its new name")


def _rollback(session: Session, arguments: argparse.Namespace) -> int:
    found = session.find_pipeline(arguments.pipeline)
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


def _test_alert(session: Session, arguments: argparse.Namespace) -> int:
    test = session.pipelines.test_alert(session.find_pipeline(arguments.pipeline).id)
    reached = test.addresses - len(test.problems)
    tell(arguments, {"test": test}, *test.problems, f"The test alert reached {reached} of {test.addresses} addresses.")
    return 1 if test.problems else 0


def _changed(session: Session, arguments: argparse.Namespace, change: PipelineChange, what: str) -> int:
    found = session.pipelines.change(session.find_pipeline(arguments.pipeline).id, change)
    _wake_for_schedules(session, found)
    return _told(found, arguments, what)


def _told(found: Pipeline, arguments: argparse.Namespace, what: str) -> int:
    return tell(arguments, {"pipeline": found}, f"“{found.name}” {what}.")


def _wake_for_schedules(session: Session, found: Pipeline) -> None:
    if not found.paused and session.store.triggers.find(found.id):
        session.wake()


def _diff(session: Session, arguments: argparse.Namespace) -> int:
    found = session.find_pipeline(arguments.pipeline)
    diff = session.pipelines.diff(found.id, arguments.older, arguments.newer)
    return tell(arguments, {"diff": diff}, *diff_lines(diff))


def _delete(session: Session, arguments: argparse.Namespace) -> int:
    found = session.find_pipeline(arguments.pipeline)
    session.pipelines.delete(found.id)
    what = f"is deleted; “jupyter mlops pipeline restore {found.id[:SHORT]}” brings it back"
    return _told(session.store.pipelines.get(found.id), arguments, what)


def _restore(session: Session, arguments: argparse.Namespace) -> int:
    found = session.pipelines.restore(session.find_pipeline(arguments.pipeline, deleted=True).id)
    _wake_for_schedules(session, found)
    return _told(found, arguments, "is back")
