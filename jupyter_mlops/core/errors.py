"""The errors a person can cause or must be told of, each with the HTTP status it becomes.

::

    MlopsError
    ├── InvalidInputError   400  what was asked for makes no sense as it stands
    ├── ForbiddenError      403  it exists, but not for this server
    ├── NotFoundError       404
    ├── ConflictError       409  the thing is not in a state that allows it
    ├── TooManyCallsError    429  it was asked for too often in a short time
    └── UnavailableError    503  something outside (MLflow, a scheduler) does not answer
"""

from __future__ import annotations

from typing import ClassVar

from .messages import Message


class MlopsError(Exception):
    """Base of all errors that carry a sentence for a person.

    Args:
        message: one clear sentence, saying what to do where something can be done.
        fields: sentences by field name, for what belongs beside one input.
    """

    status: ClassVar[int] = 500

    def __init__(self, message: Message, fields: dict[str, Message] | None = None) -> None:
        super().__init__(message, fields)
        self.message = message
        self.fields = fields or {}

    def __str__(self) -> str:
        return str(self.message)


class InvalidInputError(MlopsError):
    """What was asked for makes no sense as it stands."""

    status = 400


class ForbiddenError(MlopsError):
    """It may exist, but this server must not touch it."""

    status = 403


class NotFoundError(MlopsError):
    """There is no such thing."""

    status = 404


class ConflictError(MlopsError):
    """The thing is not in a state that allows what was asked."""

    status = 409


class TooManyCallsError(MlopsError):
    """It was asked for too often in a short time.

    Args:
        seconds: after which it may be asked for again.
    """

    status = 429

    def __init__(self, message: Message, seconds: int) -> None:
        super().__init__(message)
        self.seconds = seconds


class UnavailableError(MlopsError):
    """Something outside this process does not answer at present."""

    status = 503
