"""Errors of runs, with one sentence each for the user."""

from __future__ import annotations

import signal

from ..core.errors import MlopsError, UnavailableError
from ..core.messages import Message
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

    def __init__(self, message: Message, error_name: str = "Timeout") -> None:
        super().__init__(message)
        self.message = message
        self.error_name = error_name


class StepError(Exception):
    """A pipeline step lacks a secret or an output.

    Args:
        error_name: ``Secret`` or ``Output``.
        message: one sentence.
    """

    def __init__(self, error_name: str, message: Message) -> None:
        super().__init__(message)
        self.message = message
        self.error_name = error_name


class KernelGoneError(Exception):
    """The kernel's process ended while a cell was running.

    Args:
        code: its exit code, negative for a signal, None where not known.
        where: "cell 2 of 5".
    """

    def __init__(self, code: int | None, where: str) -> None:
        self.code = code
        self.message = _kernel_gone(code, where)
        super().__init__(self.message)

    @property
    def error_name(self) -> str:
        """``Exit`` if it ended by itself, ``KernelDied`` if something killed it."""
        return "KernelDied" if self.code is None or self.code < 0 else "Exit"


def _kernel_gone(code: int | None, where: str) -> Message:
    if code is None:
        return Message("The kernel stopped answering in {where}.", where=where)
    if code >= 0:
        return Message("The kernel exited with {code} in {where}.", code=code, where=where)
    try:
        name = f"{-code} ({signal.Signals(-code).name})"
    except ValueError:
        name = str(-code)
    if code == -signal.SIGKILL:
        return Message(
            "The kernel was ended by signal {name} in {where}; a frequent cause is that memory ran out.",
            name=name,
            where=where,
        )
    return Message("The kernel was ended by signal {name} in {where}.", name=name, where=where)


def memory_used(used: int, limit: int) -> Message:
    """Message for a run that exceeded its memory limit."""
    # enough digits to tell the numbers apart
    digits = next((n for n in range(3, 15) if _size(used, n) != _size(limit, n)), 15)
    return Message(
        "It used {used}, more than the {limit} that its step allows.",
        used=_size(used, digits),
        limit=_size(limit, digits),
    )


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
        message = Message("{where} exited with {code}.", where=where, code=first)
    elif error.name:
        what = f"{error.name}: {first}" if first else error.name
        message = Message("{where} raised {what}", where=where, what=what)
    else:
        message = Message("{where} failed with exit status {code}.", where=where, code=first)
    name = "Exit" if error.name == "SystemExit" else error.name or "Error"
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
        return RunError(name=error.error_name, message=error.message, cell=index)
    if isinstance(error, StepError):
        return RunError(name=error.error_name, message=error.message)
    if isinstance(error, MlopsError):
        name = "KernelDied" if isinstance(error, UnavailableError) else "Refused"
        return RunError(name=name, message=error.message)
    if isinstance(error, OSError):
        return RunError(
            name="Internal",
            message=Message("The worker could not read or write a file: {error}.", error=error),
            cell=index,
        )
    import traceback

    return RunError(
        name="Internal",
        message=Message("{name}: {error}", name=type(error).__name__, error=error),
        cell=index,
        traceback=_shortened("".join(traceback.format_exception(error))),
    )
