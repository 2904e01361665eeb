"""Errors reported to users, each with its HTTP status."""

from __future__ import annotations

from typing import ClassVar

from .messages import Message


class MlopsError(Exception):
    """Base of all errors with a message for users.

    Args:
        message: one sentence, which says what to do if something can be done.
        fields: messages by the name of the input field they belong to.
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
    """This server must not access the file or record."""

    status = 403


class NotFoundError(MlopsError):
    """The record or file does not exist."""

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
    """An external service, such as MLflow or a scheduler, does not answer."""

    status = 503
