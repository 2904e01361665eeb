"""Sweeps: requests and execution."""
