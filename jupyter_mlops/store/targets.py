"""Targets that were added to those that are always there."""

from __future__ import annotations

import re

from sqlalchemy import delete, select

from ..core.errors import InvalidInputError, NotFoundError
from ..core.lenient import encode
from ..core.messages import Message
from ..core.targets import TargetRecord
from .base import Repository, replace
from .tables import targets

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}", re.ASCII)


class TargetStore(Repository):
    """Targets by name."""

    def all(self) -> list[TargetRecord]:
        """All, by name."""
        return self._records(select(targets.c.record).order_by(targets.c.name), TargetRecord)

    def put(self, target: TargetRecord) -> None:
        """Add a target, or replace the one of its name.

        Raises:
            InvalidInputError: the name cannot be a target's.
        """
        if not _NAME.fullmatch(target.name):
            raise InvalidInputError(
                Message("“{name}” cannot name a target: up to 64 letters, digits, _, . and - can.", name=target.name),
                {"name": Message("is no name")},
            )
        with self._write() as connection:
            replace(connection, targets, {"name": target.name}, {"record": encode(target)})

    def remove(self, name: str) -> None:
        """Remove a target.

        Raises:
            NotFoundError: there is none of this name.
        """
        with self._write() as connection:
            if connection.execute(delete(targets).where(targets.c.name == name)).rowcount == 0:
                raise NotFoundError(Message("There is no target “{name}”.", name=name))
