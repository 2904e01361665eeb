"""Reads notebooks: parameters, shared cells, use of MLflow."""
