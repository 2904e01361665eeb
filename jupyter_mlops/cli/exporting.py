"""Writing a pipeline for another program."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from ..core.errors import InvalidInputError, UnavailableError
from ..core.messages import Message
from ..core.pipelines.records import Trigger, Version
from ..core.pipelines.requests import PromoteRequest
from ..services.pipelines.airflow.dag import Exported
from ..services.pipelines.airflow.export import export
from ..services.pipelines.promotion import source_of_file
from ..services.pipelines.steps import notebook_path
from ..services.user_files import read_file
from .output import note
from .pipeline_finding import find_pipeline
from .pipeline_runs import is_file
from .session import Session
from .zones import cron_request


def write_dag(session: Session, arguments: argparse.Namespace) -> int:
    """Write a DAG for Airflow, and say what it does not do."""
    out = Path(arguments.output).absolute() if arguments.output else None
    wanted = _of_file(arguments) if is_file(arguments.what) else _of_pipeline(session, arguments, out)
    written = export(wanted)
    if out is None:
        print(written.text, end="")
    else:
        _write(out, written.text.encode())
        note(f"“{wanted.name}” is written to {arguments.output}.")
    for remark in written.remarks:
        note(f"Not translated: {remark}")
    return 0


def _asked(arguments: argparse.Namespace) -> list[Trigger]:
    asked = cron_request(arguments)
    if asked is None:
        return []
    from ..services.pipelines.triggers import check_trigger, trigger_of

    check_trigger(asked, Path("/"))
    return [trigger_of("", asked, Path("/"), "")]


def _of_file(arguments: argparse.Namespace) -> Exported:
    file = Path(arguments.what).absolute()
    source = source_of_file(PromoteRequest(path=str(file)), Path("/"))
    definition = source.definition
    contents = {
        step.notebook: read_file(file.parent / step.notebook, f"notebook of step “{name}”")
        for name, step in definition.steps.items()
    }
    return Exported(
        definition=definition,
        name=definition.name or file.name.partition(".")[0],
        source=file.name,
        folder=repr(str(file.parent)),
        notebooks=contents,
        triggers=_asked(arguments),
        day=datetime.now(UTC).date(),
    )


def _of_pipeline(session: Session, arguments: argparse.Namespace, out: Path | None) -> Exported:
    """The version that fires; its frozen files are written beside the DAG."""
    pipeline = find_pipeline(session, arguments.what)
    if out is None:
        raise InvalidInputError(
            Message(
                "Say with --output where to write the DAG: the frozen files of “{name}” are written beside it.",
                name=pipeline.name,
            )
        )
    version = session.pipelines.version(pipeline.id, pipeline.version)
    place = f"{out.stem}_files"
    for path, digest in version.files.items():
        _write(out.parent / place / path, session.store.blobs.get(digest))
    note(f"The files of version {version.number} are in {place}, beside it; put there what else its steps read.")
    folder = f"Path(__file__).resolve().parent / {place!r}{' / ' + repr(version.folder) if version.folder else ''}"
    return Exported(
        definition=version.definition,
        name=pipeline.name,
        source=f"version {version.number} of “{pipeline.name}”",
        folder=folder,
        notebooks=_notebooks(session, version),
        triggers=_asked(arguments)
        or [trigger for trigger in session.store.triggers.find(pipeline.id) if trigger.enabled],
        day=datetime.now(UTC).date(),
    )


def _notebooks(session: Session, version: Version) -> dict[str, bytes]:
    return {
        step.notebook: session.store.blobs.get(version.files[notebook_path(version.folder, step.notebook)])
        for step in version.definition.steps.values()
    }


def _write(file: Path, data: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    except OSError as error:
        raise UnavailableError(
            Message("{file} cannot be written: {strerror}.", file=file, strerror=error.strerror)
        ) from error
