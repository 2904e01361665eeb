"""Tracking in MLflow; no other package uses it."""

from __future__ import annotations

from .metric_log import NEWEST, MetricLog
from .runs import Tracking

__all__ = ["NEWEST", "MetricLog", "Tracking"]
