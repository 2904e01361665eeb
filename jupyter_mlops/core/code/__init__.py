"""Finds the code that a notebook uses."""
