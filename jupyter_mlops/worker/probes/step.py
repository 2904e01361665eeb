"""A pipeline step's outputs and inputs."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import Any

import msgspec

from ...core.messages import Message
from ...core.runs import RunSpec
from ..attempt import Attempt
from ..attempt_files import files_folder, outputs_file
from ..failures import StepError
from . import opened_files as opened
from . import variables
from .ask import call_in, understood

MOST_OUTPUT = 1_000_000  # bytes of JSON that one output may have
_MOST_FILE = 20_000_000  # bytes of the file MLOPS_OUTPUTS
_MOST_NAMES = 20


def watch_files() -> str:
    """An expression that makes a Python kernel record the files it opens."""
    return call_in(opened, "g['watch']()")


def step_questions(spec: RunSpec) -> dict[str, str]:
    """Expressions by name, to evaluate in a Python kernel after a step's last cell."""
    extras = spec.extras
    if extras is None:
        return {}
    kept = _with_real(extras.project, extras.live, spec.folder)
    skipped = _with_real(spec.directory)
    asked = {"opened": call_in(opened, f"g['read_opened']({kept!r}, {skipped!r})")}
    if extras.outputs:
        call = f"g['read_variables'](__import__('builtins').globals(), {extras.outputs!r}, {MOST_OUTPUT})"
        asked["outputs"] = call_in(variables, call)
    return asked


def _with_real(*folders: str) -> list[str]:
    return list(dict.fromkeys(path for folder in folders if folder for path in (folder, os.path.realpath(folder))))


def take_step_answers(attempt: Attempt, answers: dict[str, Any]) -> None:
    """Store the kernel's answers to :func:`step_questions`."""
    if attempt.spec.extras is None:
        return
    if "opened" in answers:
        opened = understood(attempt, answers["opened"], Message("The files that it opened"))
        if opened is None:
            attempt.warn(Message("Which files the notebook opened is not known."))
        attempt.opened = {path: (modified, size, inode) for path, modified, size, inode in opened or []}
    found = understood(attempt, answers.get("outputs"), Message("The outputs"))
    if found is None:
        attempt.unfit.update(dict.fromkeys(attempt.spec.extras.outputs, "could not be read from the kernel"))
    else:
        attempt.variables.update(found["values"])
        attempt.unfit.update(found["problems"])


def step_outputs(attempt: Attempt) -> dict[str, Any]:
    """A step's outputs by name, from variables, MLOPS_OUTPUTS and files; of equal names the last of these wins.

    Raises:
        StepError: an output is missing, cannot be stored as JSON, or holds a secret.
    """
    extras = attempt.spec.extras
    if extras is None:
        return {}
    written = _written(attempt)
    files = {name: _file(attempt.spec, name, pattern) for name, pattern in extras.files.items()}
    outputs = {**attempt.variables, **written, **files}
    for name in extras.outputs:
        if name not in outputs:
            raise StepError("Output", _missing(attempt, name))
    for name, value in outputs.items():
        if attempt.hiding.found_in({name: value}):
            raise StepError(
                "Output",
                Message(
                    "The output “{name}” holds a secret, which is never handed on; name the secret in "
                    "each step that needs it.",
                    name=attempt.hiding.text(name),
                ),
            )
    return outputs


def _missing(attempt: Attempt, name: str) -> Message:
    if name in attempt.unfit:
        return attempt.hiding.message(Message("The output “{name}” {why}.", name=name, why=attempt.unfit[name]))
    if not attempt.finished:
        return Message("The notebook left no output “{name}” before it ended itself.", name=name)
    if attempt.language not in ("python", ""):
        return Message(
            "The notebook left no output “{name}”; a {language} notebook writes what it hands on as a JSON object to "
            "the file $MLOPS_OUTPUTS.",
            name=name,
            language=attempt.language,
        )
    return Message("The notebook left no output “{name}”.", name=name)


def _written(attempt: Attempt) -> dict[str, Any]:
    """The content of the file MLOPS_OUTPUTS."""
    path = outputs_file(attempt.spec)
    try:
        if path.stat().st_size > _MOST_FILE:
            raise _not_json(f"it has more than {_MOST_FILE / 1e6:g} MB")
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _not_json(attempt.hiding.text(str(error))) from error
    if not isinstance(found, dict):
        raise _not_json("it begins with something else than {")
    for name, value in found.items():
        size = len(msgspec.json.encode(value))
        if size > MOST_OUTPUT:
            raise StepError(
                "Output",
                Message(
                    "The output “{name}” takes {size:.3g} MB as JSON, more than the {most_output:g} MB "
                    "that can be handed on; write it to a file in MLOPS_RUN_DIR and declare it under files.",
                    name=name,
                    size=size / 1e6,
                    most_output=MOST_OUTPUT / 1e6,
                ),
            )
    return found


def _not_json(why: str) -> StepError:
    return StepError(
        "Output", Message("What the notebook wrote to the file $MLOPS_OUTPUTS is not one JSON object: {why}.", why=why)
    )


def _file(spec: RunSpec, name: str, pattern: str) -> str:
    """Path of the file or folder in MLOPS_RUN_DIR that is an output."""
    folder = files_folder(spec)
    if os.path.isabs(pattern) or ".." in Path(pattern).parts:
        raise StepError(
            "Output",
            Message(
                "The file of the output “{name}” must lie below MLOPS_RUN_DIR, not at {pattern}.",
                name=name,
                pattern=pattern,
            ),
        )
    if (folder / pattern).exists():
        return str(folder / pattern)
    matches = sorted(glob.glob(pattern, root_dir=folder, recursive=True))
    if len(matches) == 1:
        return str(folder / matches[0])
    if matches:
        raise StepError(
            "Output",
            Message(
                "The output “{name}” is to be one file, and {count} match {pattern} in MLOPS_RUN_DIR: {matches}.",
                name=name,
                count=len(matches),
                pattern=pattern,
                matches=_list(matches),
            ),
        )
    there = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())
    raise StepError(
        "Output",
        Message(
            "The notebook left no file {pattern} in MLOPS_RUN_DIR for the output “{name}”; there is {files}."
            if there
            else "The notebook left no file {pattern} in MLOPS_RUN_DIR for the output “{name}”; there is none at all.",
            pattern=pattern,
            name=name,
            files=_list(there),
        ),
    )


def _list(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
