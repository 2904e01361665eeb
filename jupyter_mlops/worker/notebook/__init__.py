"""Execution of notebooks."""
