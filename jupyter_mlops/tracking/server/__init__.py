"""The embedded MLflow server."""
