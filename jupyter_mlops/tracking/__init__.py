"""Tracking in MLflow; no other package uses it."""

from __future__ import annotations

from .runs import Tracking

__all__ = ["Tracking"]
