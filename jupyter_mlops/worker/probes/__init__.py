"""Queries to a kernel besides the notebook's cells."""
