"""Floor 2: the only place that knows MLflow."""

from __future__ import annotations

from .tracking import Tracking

__all__ = ["Tracking"]
