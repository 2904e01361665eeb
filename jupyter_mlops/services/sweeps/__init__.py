"""Sweeps: requested, driven, ended, removed."""
