"""Errors of runs, with one sentence each for the user."""

from __future__ import annotations

import signal

from ..core.errors import MlopsError, UnavailableError
from ..core.runs import RunError

_LONGEST_VALUE = 300
_LONGEST_TRACEBACK = 20_000


class CellFailedError(Exception):
    """A cell raised.

    Attributes:
        name, value: of the exception, in the kernel's language.
        lines: of its traceback.
    """

    def __init__(self, name: str, value: str, lines: list[str]) -> None:
        super().__init__(name, value, lines)
        self.name = name
        self.value = value
        self.lines = lines


class EndedError(Exception):
    """The attempt was ended from outside its notebook: by a person or by a limit.

    Args:
        message: one sentence.
        error_name: of the limit.
    """

    def __init__(self, message: str, error_name: str = "Timeout") -> None:
        super().__init__(message)
        self.error_name = error_name


class StepError(Exception):
    """A pipeline step lacks a secret or an output.

    Args:
        error_name: ``Secret`` or ``Output``.
        message: one sentence.
    """

    def __init__(self, error_name: str, message: str) -> None:
        super().__init__(message)
        self.error_name = error_name


class KernelGoneError(Exception):
    """The kernel's process ended while a cell was running.

    Args:
        code: its exit code, negative for a signal, None where not known.
        where: "cell 2 of 5".
    """

    def __init__(self, code: int | None, where: str) -> None:
        self.code = code
        super().__init__(_kernel_gone(code, where))

    @property
    def error_name(self) -> str:
        """``Exit`` if it ended by itself, ``KernelDied`` if something killed it."""
        return "KernelDied" if self.code is None or self.code < 0 else "Exit"


def _kernel_gone(code: int | None, where: str) -> str:
    if code is None:
        return f"The kernel stopped answering in {where}."
    if code >= 0:
        return f"The kernel exited with {code} in {where}."
    try:
        name = f" ({signal.Signals(-code).name})"
    except ValueError:
        name = ""
    hint = "; a frequent cause is that memory ran out" if code == -signal.SIGKILL else ""
    return f"The kernel was ended by signal {-code}{name} in {where}{hint}."


def memory_used(used: int, limit: int) -> str:
    """Message for a run that exceeded its memory limit."""
    # enough digits to tell the numbers apart
    digits = next((n for n in range(3, 15) if _size(used, n) != _size(limit, n)), 15)
    return f"It used {_size(used, digits)}, more than the {_size(limit, digits)} that its step allows."


def _size(number: int, digits: int) -> str:
    unit, name = (10**9, "GB") if number >= 10**9 else (10**6, "MB")
    return f"{number / unit:.{digits}g} {name}"


def exited_well(error: CellFailedError) -> bool:
    """Whether a cell left with ``sys.exit()`` or ``sys.exit(0)``."""
    return error.name == "SystemExit" and error.value in ("", "0", "None")


def cell_error(error: CellFailedError, index: int, where: str) -> RunError:
    """The record of a cell that raised; ``where`` is "cell 2 of 5"."""
    from .outputs import without_colours

    value = without_colours(error.value).strip()
    first = value.splitlines()[0] if value else ""
    if len(first) > _LONGEST_VALUE:
        first = first[:_LONGEST_VALUE] + "…"
    where = where[0].upper() + where[1:]
    if error.name == "SystemExit":
        name, message = "Exit", f"{where} exited with {first}."
    elif error.name:
        name, message = error.name, f"{where} raised {error.name}{': ' if first else ''}{first}"
    else:
        name, message = "Error", f"{where} failed with exit status {first}."
    text = without_colours("\n".join(error.lines))
    return RunError(name=name, message=message, cell=index, traceback=_shortened(text))


def _shortened(text: str) -> str:
    data = text.encode("utf-8", "replace")
    if len(data) <= _LONGEST_TRACEBACK:
        return text
    half = _LONGEST_TRACEBACK // 2 - 20
    return data[:half].decode("utf-8", "ignore") + "\n[…]\n" + data[-half:].decode("utf-8", "ignore")


def other_error(error: Exception, index: int | None) -> RunError:
    """The record of any other error."""
    if isinstance(error, EndedError | KernelGoneError):
        return RunError(name=error.error_name, message=str(error), cell=index)
    if isinstance(error, StepError):
        return RunError(name=error.error_name, message=str(error))
    if isinstance(error, MlopsError):
        name = "KernelDied" if isinstance(error, UnavailableError) else "Refused"
        return RunError(name=name, message=str(error))
    if isinstance(error, OSError):
        return RunError(name="Internal", message=f"The worker could not read or write a file: {error}.", cell=index)
    import traceback

    return RunError(
        name="Internal",
        message=f"{type(error).__name__}: {error}",
        cell=index,
        traceback=_shortened("".join(traceback.format_exception(error))),
    )
