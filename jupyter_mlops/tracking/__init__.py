"""Floor 2: the only place that knows MLflow."""

from __future__ import annotations

from .runs import Tracking

__all__ = ["Tracking"]
