"""Takes in what a kernel logs to MLflow."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from pathlib import Path

from ..core.curves import MAX_CURVES, Curve, Logged, by_name
from .hiding import Hiding

_MOST = 4_000_000  # bytes read at once

logger = logging.getLogger(__name__)


class KernelCurves:
    """The curves of one attempt, from the file that its kernel appends to.

    What holds a secret is left out.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read = 0
        self._sent: dict[str, int] = {}
        self._curves: dict[str, Curve] = {}

    def news(self, hiding: Hiding) -> list[Curve]:
        """The new points, as curves of these alone."""
        self._take(self._lines(), hiding)
        found = []
        for name, curve in self._curves.items():
            sent = self._sent.get(name, 0)
            if curve.logged > sent:
                self._sent[name] = curve.logged
                found.append(curve.since(sent))
        return found

    def whole(self, hiding: Hiding) -> list[Curve]:
        """All curves, after the kernel has ended; removes the file."""
        while lines := self._lines():
            self._take(lines, hiding)
        self._file.unlink(missing_ok=True)
        return list(self._curves.values())

    def _lines(self) -> bytes:
        """Whole lines that were not read yet."""
        with suppress(FileNotFoundError), self._file.open("rb") as file:
            file.seek(self._read)
            data = file.read(_MOST)
            lines = data[: data.rfind(b"\n") + 1]
            self._read += len(lines)
            return lines
        return b""

    def _take(self, lines: bytes, hiding: Hiding) -> None:
        logged: Logged = []
        for line in lines.splitlines():
            try:
                logged += [(str(name), int(step), float(value)) for name, step, value in json.loads(line)]
            except (ValueError, TypeError) as error:
                # the notebook can write there, too
                logger.warning("a line of %s is no metric: %s", self._file, error)
        for name, points in by_name(logged).items():
            if name not in self._curves and (len(self._curves) == MAX_CURVES or hiding.found_in(name)):
                continue
            if shown := [point for point in points if not hiding.hides(point[1])]:
                self._curves[name] = self._curves.get(name, Curve(name=name)).extended(shown)
