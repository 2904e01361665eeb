"""The actions of ``jupyter mlops pipeline`` that write: promotion, here or at a server, and export."""

from __future__ import annotations

import argparse
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ..core.errors import InvalidInputError, NotFoundError, UnavailableError
from ..core.messages import Message
from ..core.pipelines.records import Trigger, Version
from ..core.pipelines.requests import PromoteAnswer, PromoteRequest
from ..core.sweeps import Sweep
from ..services.pipelines.exporters import EXPORTERS, Exporter, ExportSource
from .output import SHORT, note, print_json, when_text
from .parser import WHICH_PIPELINE, Noun, add_cron, count, duration
from .pipeline_runs import is_file
from .schedules import cron_request

if TYPE_CHECKING:
    from .remote import Server
    from .session import Session

_PROMOTE = """\
WHAT is a pipeline file (*.pipeline.yaml), a notebook as it is now, a finished run (SWEEP-N), or a sweep, of
which the best run is taken. The notebooks and all project files that they read as code are frozen; the
version fires from now on. The same file makes the next version of the same pipeline.
"""
_EXAMPLES = """\
examples:
  jupyter mlops pipeline promote flights.pipeline.yaml --note "with weather"
  jupyter mlops pipeline promote 3fa8-2 --name daily --cron "0 6 * * *" --zone Europe/Vienna
  jupyter mlops pipeline promote pipelines/flights.pipeline.yaml --commit "$CI_COMMIT_SHA" \\
      --server https://jupyter.example.org/ --token "$TOKEN"

With --commit the files are taken from that commit of git, not from the work tree. With --server the version
is made there: its path is relative to that server's root, and with --commit the files are sent along, so
that the server needs no copy of the repository. The token is that of the Jupyter server, or of a user at a
JupyterHub; without --token, it is taken from JUPYTER_TOKEN.
"""
_EXPORT = """\
What cannot be translated is said on standard error. Of a FILE, the notebooks are run where they lie; of a
promoted PIPELINE, the version's frozen files are written beside OUT.
"""


def add_actions(noun: Noun) -> None:
    """Promotion and export."""
    text = "Make a pipeline, or the next version of one."
    parser = noun.add("promote", _promote, text, "WHAT", more=_PROMOTE, epilog=_EXAMPLES)
    add = parser.add_argument
    add("--name", default="", help="Name the pipeline (default: as the file).")
    add(
        "--kernel",
        default="",
        metavar="NAME",
        help="Run all notebooks with this kernel (default: what the run had, else their own).",
    )
    add("--note", default="", help="Say what this version is about.")
    add("--pipeline", metavar="PIPELINE", default="", help="Make it a version of this one.")
    add("--retries", type=count, default=0, metavar="N", help="Repeat a notebook's step so often.")
    add("--timeout", type=duration, metavar="TIME", help="Give a notebook's step no more time than this.")
    add(
        "--output",
        action="append",
        default=[],
        metavar="NAME",
        help="Hand this variable of a notebook on; repeatable.",
    )
    add_cron(parser, "Schedule it, such as “0 6 * * *”.")
    add("--commit", metavar="REV", help="Take the files from this commit of git.")
    add("--server", metavar="URL", help="Promote at the Jupyter server with this address.")
    add("--token", metavar="TOKEN", help="Present this token to it (default: JUPYTER_TOKEN).")
    add("--path", metavar="PATH", help="The file has this path below that server's root (default: the same).")
    parser = noun.add(
        "export",
        _export,
        "Write a pipeline for another program.",
        "FILE|PIPELINE",
        more=_EXPORT,
        epilog=WHICH_PIPELINE,
        json=False,
    )
    parser.add_argument(
        "--to", choices=EXPORTERS, metavar="PROGRAM", required=True, help="Write it for this program: %(choices)s."
    )
    parser.add_argument("-o", "--output", metavar="OUT", help="Write it to this file (default: standard output).")
    add_cron(parser, "Export it with this schedule (default: that of the pipeline).")


def _promote(session: Session, arguments: argparse.Namespace) -> int:
    if arguments.path and not arguments.server:
        raise InvalidInputError(
            Message("--path goes with --server, and says where the file is below that server's root.")
        )
    request = _options(arguments)
    if arguments.server:
        # slow to import, and only wanted here
        from .remote import Server

        with Server(arguments.server, arguments.token or os.environ.get("JUPYTER_TOKEN", "")) as server:
            answer = _remotely(session, server, request, arguments)
    else:
        answer = _here(session, request, arguments)
    for warning in answer.version.warnings:
        note(warning)
    if arguments.json:
        print_json(answer)
        return 0
    trigger = answer.trigger
    following = f"; it fires next {when_text(trigger.next_at)}" if trigger and trigger.next_at else ""
    where = f" at {arguments.server}" if arguments.server else ""
    print(
        f"“{answer.pipeline.name}” ({answer.pipeline.id[:SHORT]}){where} has version {answer.version.number}, of "
        f"{answer.version.source}{following}."
    )
    return 0


def _options(arguments: argparse.Namespace) -> PromoteRequest:
    if arguments.commit and not is_file(arguments.what):
        raise InvalidInputError(Message("--commit goes with a file, and says which commit it is taken from."))
    return PromoteRequest(
        name=arguments.name,
        note=arguments.note,
        kernel=arguments.kernel,
        retries=arguments.retries,
        timeout=arguments.timeout,
        outputs=[name.strip() for words in arguments.output for name in words.split(",") if name.strip()],
        schedule=cron_request(arguments),
    )


def _here(session: Session, request: PromoteRequest, arguments: argparse.Namespace) -> PromoteAnswer:
    if arguments.pipeline:
        request = msgspec.structs.replace(request, pipeline_id=session.find_pipeline(arguments.pipeline).id)
    if not is_file(arguments.what):
        found = session.find(arguments.what)
        which = {"sweep_id": found.id} if isinstance(found, Sweep) else {"run_id": found.id}
        request = msgspec.structs.replace(request, **which)
    else:
        file = Path(arguments.what).absolute()
        request = msgspec.structs.replace(request, path=str(file))
        if arguments.commit:
            request = _with_files(session, request, file, arguments.commit)
    answer = session.pipelines.promote(request, session.kernelspecs())
    if answer.trigger is not None:
        session.wake()
    return answer


def _with_files(session: Session, request: PromoteRequest, file: Path, revision: str) -> PromoteRequest:
    from ..services.pipelines.commits import files_of_commit

    found = files_of_commit(file, revision)
    for warning in found.warnings:
        note(warning)
    # at a server the path is the repository's own unless another is said
    path = request.path or found.path
    return msgspec.structs.replace(request, path=path, files=found.contents, commit=found.commit)


def _remotely(
    session: Session, server: Server, request: PromoteRequest, arguments: argparse.Namespace
) -> PromoteAnswer:
    if arguments.pipeline:
        request = msgspec.structs.replace(request, pipeline_id=server.find_pipeline(arguments.pipeline).id)
    if not is_file(arguments.what):
        of_sweep, dash, number = arguments.what.rpartition("-")
        from .session import pick_sweep

        sweep = pick_sweep(server.sweeps(), of_sweep if dash else arguments.what)
        which = {"run_id": f"{sweep.id[:12]}-{number}"} if dash else {"sweep_id": sweep.id}
        return server.promote(msgspec.structs.replace(request, **which))
    request = msgspec.structs.replace(request, path=arguments.path or "")
    if arguments.commit:
        file = Path(arguments.what).absolute()
        return server.promote(_with_files(session, request, file, arguments.commit))
    try:
        return server.promote(msgspec.structs.replace(request, path=request.path or arguments.what))
    except NotFoundError as error:
        raise NotFoundError(
            Message(
                "{message} Paths are relative to the server's root; --commit HEAD sends the files along.",
                message=error.message,
            )
        ) from None


# -- export ------------------------------------------------------------------------------------


def _export(session: Session, arguments: argparse.Namespace) -> int:
    export: Exporter = EXPORTERS.load(arguments.to)
    out = Path(arguments.output).absolute() if arguments.output else None
    source = _of_file(arguments) if is_file(arguments.file) else _of_pipeline(session, arguments, out)
    written = export(source)
    if out is None:
        print(written.text, end="")
    else:
        _write(out, written.text.encode())
        note(f"“{source.name}” is written to {arguments.output}.")
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


def _of_file(arguments: argparse.Namespace) -> ExportSource:
    from ..services.pipelines.promotion import source_of_file
    from ..services.user_files import read_file

    file = Path(arguments.file).absolute()
    source = source_of_file(PromoteRequest(path=str(file)), Path("/"))
    definition = source.definition
    contents = {
        step.notebook: read_file(file.parent / step.notebook, f"notebook of step “{name}”")
        for name, step in definition.steps.items()
    }
    return ExportSource(
        definition=definition,
        name=definition.name or file.name.partition(".")[0],
        origin=file.name,
        folder=file.parent,
        notebooks=contents,
        triggers=_asked(arguments),
        day=datetime.now(UTC).date(),
    )


def _of_pipeline(session: Session, arguments: argparse.Namespace, out: Path | None) -> ExportSource:
    """The version that fires; its frozen files are written beside the exported file."""

    pipeline = session.find_pipeline(arguments.file)
    if out is None:
        raise InvalidInputError(
            Message(
                "Say with --output where to write it: the frozen files of “{name}” are written beside it.",
                name=pipeline.name,
            )
        )
    version = session.pipelines.version(pipeline.id, pipeline.version)
    place = f"{out.stem}_files"
    for path in version.files:
        _write(out.parent / place / path, _frozen(session, version, path))
    note(f"The files of version {version.number} are in {place}, beside it; put there what else its steps read.")
    return ExportSource(
        definition=version.definition,
        name=pipeline.name,
        origin=f"version {version.number} of “{pipeline.name}”",
        folder=Path(place, version.folder),
        notebooks=_notebooks(session, version),
        triggers=_asked(arguments)
        or [trigger for trigger in session.store.triggers.find(pipeline.id) if trigger.enabled],
        day=datetime.now(UTC).date(),
    )


def _notebooks(session: Session, version: Version) -> dict[str, bytes]:
    from ..services.pipelines.steps import notebook_path

    return {
        step.notebook: _frozen(session, version, notebook_path(version.folder, step.notebook))
        for step in version.definition.steps.values()
    }


def _frozen(session: Session, version: Version, path: str) -> bytes:
    """A frozen file; a notebook names the kernel that the version runs it with."""
    from ..core.notebook.reading import inspect, read_notebook

    data = session.store.blobs.get(version.files[path])
    kernel = version.kernels.get(path)
    if kernel is None or inspect(notebook := read_notebook(data), path).kernel == kernel:
        return data
    notebook["metadata"]["kernelspec"] = {"name": kernel, "display_name": kernel}
    return json.dumps(notebook, ensure_ascii=False, indent=1).encode()


def _write(file: Path, data: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    except OSError as error:
        raise UnavailableError(
            Message("{file} cannot be written: {strerror}.", file=file, strerror=error.strerror)
        ) from error
