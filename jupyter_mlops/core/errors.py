"""Errors reported to users, each with its HTTP status.

::

    MlopsError
    ├── InvalidInputError   400  the request is invalid
    ├── ForbiddenError      403  this server must not access it
    ├── NotFoundError       404
    ├── ConflictError       409  the record's state does not allow it
    ├── TooManyCallsError    429  too many requests in a short time
    └── UnavailableError    503  an external service (MLflow, a scheduler) does not answer
"""

from __future__ import annotations

from typing import ClassVar

from .messages import Message


class MlopsError(Exception):
    """Base of all errors with a message for users.

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
    """The request is invalid."""

    status = 400


class ForbiddenError(MlopsError):
    """This server must not access it."""

    status = 403


class NotFoundError(MlopsError):
    """It does not exist."""

    status = 404


class ConflictError(MlopsError):
    """The record's state does not allow the request."""

    status = 409


class TooManyCallsError(MlopsError):
    """Too many requests in a short time.

    Args:
        seconds: to wait before the next request.
    """

    status = 429

    def __init__(self, message: Message, seconds: int) -> None:
        super().__init__(message)
        self.seconds = seconds


class UnavailableError(MlopsError):
    """An external service does not answer."""

    status = 503
