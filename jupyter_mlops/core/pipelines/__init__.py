"""Pipelines: their file, their graph, their records."""
