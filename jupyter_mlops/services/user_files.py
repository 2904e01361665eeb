"""Reading what a person named, and what is wrong with it where that cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.errors import ForbiddenError, InvalidInputError, NotFoundError

KernelSpecs = Mapping[str, Mapping[str, Any]]


def read_file(file: Path, what: str = "notebook") -> bytes:
    """Bytes of a file that a person named.

    Args:
        what: it is, for sentences.

    Raises:
        NotFoundError, ForbiddenError, InvalidInputError: it is not there, may not be read, or is no file.
    """
    try:
        # reading a pipe would wait for ever
        if file.exists() and not file.is_file():
            raise InvalidInputError(f"{file.name} is a folder or a device, not a {what}.")
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"There is no {what} {file.name}.") from None
    except PermissionError:
        raise ForbiddenError(f"{file.name} may not be read.") from None
    except OSError as error:
        raise InvalidInputError(f"{file.name} cannot be read: {error.strerror}.") from None


def kernel_problem(kernel: str, kernelspecs: KernelSpecs) -> str:
    """Why a kernel cannot be used, empty where it can."""
    if kernel in kernelspecs:
        return ""
    known = ", ".join(sorted(kernelspecs)) or "none"
    wanted = f"The kernel “{kernel}” is not installed here" if kernel else "The notebook names no kernel"
    return f"{wanted}; choose one of those that are ({known}) and save the notebook."
