"""Kernels forked from a process that has their imports done."""
