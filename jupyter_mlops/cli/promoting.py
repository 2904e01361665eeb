"""Promotion: here, or at a Jupyter server's address."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ..core.errors import InvalidInputError, NotFoundError
from ..core.messages import Message
from ..core.pipelines.requests import PromoteAnswer, PromoteRequest
from ..core.sweeps import Sweep
from .finding import pick_sweep
from .output import note, print_json
from .pipeline_finding import find_pipeline
from .pipeline_runs import is_file
from .session import Session
from .tables import when_text
from .zones import cron_request

if TYPE_CHECKING:
    from .remote import Server


def promote(session: Session, arguments: argparse.Namespace) -> int:
    """Make a pipeline, or the next version of one."""
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
        print_json({name: getattr(answer, name) for name in answer.__struct_fields__})
        return 0
    trigger = answer.trigger
    following = f"; it fires next {when_text(trigger.next_at)}" if trigger and trigger.next_at else ""
    where = f" at {arguments.server}" if arguments.server else ""
    print(
        f"“{answer.pipeline.name}” ({answer.pipeline.id[:8]}){where} has version {answer.version.number}, of "
        f"{answer.version.source}{following}."
    )
    return 0


def _options(arguments: argparse.Namespace) -> PromoteRequest:
    if arguments.commit and not is_file(arguments.what):
        raise InvalidInputError(Message("--commit goes with a file, and says which commit it is taken from."))
    return PromoteRequest(
        name=arguments.name,
        note=arguments.note,
        retries=arguments.retries,
        timeout=arguments.timeout,
        outputs=[name.strip() for words in arguments.output for name in words.split(",") if name.strip()],
        schedule=cron_request(arguments),
    )


def _here(session: Session, request: PromoteRequest, arguments: argparse.Namespace) -> PromoteAnswer:
    if arguments.pipeline:
        request = msgspec.structs.replace(request, pipeline_id=find_pipeline(session, arguments.pipeline).id)
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
