"""Reads files that a user named, and resolves their kernels."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.errors import ForbiddenError, InvalidInputError, NotFoundError
from ..core.messages import Message
from ..core.runs import Kernelspec
from ..environments import OWN_PYTHON

KernelSpecs = Mapping[str, Mapping[str, Any]]


def read_file(file: Path, what: str = "notebook") -> bytes:
    """Read a file that a user named.

    Args:
        what: kind of file, for error messages.

    Raises:
        NotFoundError: the file does not exist.
        ForbiddenError: permission is denied.
        InvalidInputError: it is no regular file, or cannot be read.
    """
    try:
        # reading a pipe would block for ever
        if file.exists() and not file.is_file():
            raise InvalidInputError(Message("{name} is a folder or a device, not a {what}.", name=file.name, what=what))
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(Message("There is no {what} {name}.", what=what, name=file.name)) from None
    except PermissionError:
        raise ForbiddenError(Message("{name} may not be read.", name=file.name)) from None
    except OSError as error:
        raise InvalidInputError(
            Message("{name} cannot be read: {strerror}.", name=file.name, strerror=error.strerror)
        ) from None


def kernel_problem(kernel: str, kernelspecs: KernelSpecs) -> Message:
    """Why a kernel cannot be used; empty if it can."""
    if kernel in kernelspecs:
        return Message()
    template = (
        "The kernel “{kernel}” is not installed here; choose one of those that are ({known}) and save the notebook."
        if kernel
        else "The notebook names no kernel; choose one of those that are ({known}) and save the notebook."
    )
    return Message(template, kernel=kernel, known=", ".join(sorted(kernelspecs)) or "none")


def resolve_kernel(kernel: str, kernelspecs: KernelSpecs) -> Kernelspec:
    """A kernel's spec with absolute paths, so that other processes start the same kernel.

    Raises:
        InvalidInputError: the kernel is not installed here; the message names those that are.
    """
    if problem := kernel_problem(kernel, kernelspecs):
        raise InvalidInputError(problem)
    found = kernelspecs[kernel]
    spec = found["spec"]
    program, *arguments = spec["argv"]
    # as jupyter_client does
    program = sys.executable if OWN_PYTHON.match(program) else shutil.which(program) or program
    return Kernelspec(
        argv=[program, *(word.replace("{prefix}", sys.prefix) for word in arguments)],
        env=spec.get("env", {}),
        language=spec.get("language", ""),
        resource_dir=found["resource_dir"],
        interrupt_mode=spec.get("interrupt_mode", "signal"),
        metadata=spec.get("metadata", {}),
        host=socket.gethostname(),
    )
