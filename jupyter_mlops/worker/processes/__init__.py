"""Processes of kernels: found, measured, ended."""
