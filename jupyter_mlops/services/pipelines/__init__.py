"""Pipelines: what is promoted, frozen, fired and run."""
