"""Curves of runs' metrics."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import bindparam, select

from ..core.curves import MAX_CURVES, Curve
from ..core.lenient import encode
from .base import Repository, replace
from .tables import curves, runs

_IS_THERE = select(runs.c.id).where(runs.c.id == bindparam("key"))


class CurveStore(Repository):
    """Curves of runs' metrics, apart for each attempt.

    Writes take no revision: points arrive many times a second, and only pages that draw a curve fetch it.
    """

    def of_run(self, run_id: str, attempt: int) -> list[Curve]:
        """The curves of an attempt, by name."""
        query = select(curves.c.record).where(curves.c.run_id == run_id, curves.c.attempt == attempt)
        return self._records(query.order_by(curves.c.name), Curve)

    def put(self, run_id: str, attempt: int, changed: Iterable[Curve]) -> None:
        """Store curves of an attempt, replacing those of the same names; does nothing for a run that was removed.

        Beyond ``MAX_CURVES``, curves of new names are left out.
        """
        with self._write() as connection:
            if connection.execute(_IS_THERE, {"key": run_id}).scalar() is None:
                return
            of_attempt = (curves.c.run_id == run_id, curves.c.attempt == attempt)
            names = set(connection.execute(select(curves.c.name).where(*of_attempt)).scalars())
            for curve in changed:
                if curve.name in names or len(names) < MAX_CURVES:
                    names.add(curve.name)
                    key = {"run_id": run_id, "attempt": attempt, "name": curve.name}
                    replace(connection, curves, key, {"record": encode(curve)})
