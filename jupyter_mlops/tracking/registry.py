"""Runs that registered models come from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from .fields import PARENT

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

T = TypeVar("T")
_PARENT_TAGS = (PARENT, "mlops.owner")
_MODEL = "models:/"
_PAGE = 1000


class Registry:
    """Finds the runs behind registered models; caches them, as they never change."""

    def __init__(self) -> None:
        self._origins: dict[tuple[str, str], frozenset[str]] = {}

    def linked(self, client: MlflowClient, run_ids: set[str]) -> set[str]:
        """The runs among these that a model comes from, directly or through a child run."""
        found: set[str] = set()
        for version in _versions(client):
            # version numbers are reused after a deletion
            key = (f"{version.name}/{version.version}", str(version.creation_timestamp))
            if key not in self._origins:
                self._origins[key] = _with_ancestors(client, _origins(client, version))
            found |= self._origins[key] & run_ids
        return found


def _with_ancestors(client: MlflowClient, run_ids: set[str]) -> frozenset[str]:
    """Runs and all their ancestors."""
    line: set[str] = set()
    todo = set(run_ids)
    while todo:
        line |= todo
        todo = {above for run_id in todo for above in _parents(client, run_id)} - line
    return frozenset(line)


def _versions(client: MlflowClient) -> list[ModelVersion]:
    found: list[ModelVersion] = []
    token = None
    while True:
        page = client.search_model_versions(max_results=_PAGE, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _origins(client: MlflowClient, version: ModelVersion) -> set[str]:
    """Runs that a version comes from; a model logged outside a run names them only in its tags."""
    found = {version.run_id} if version.run_id else set()
    source = str(version.source or "")
    model_id = getattr(version, "model_id", None) or (source.removeprefix(_MODEL) if source.startswith(_MODEL) else "")
    model = _get_or_none(client.get_logged_model, model_id) if model_id and "/" not in model_id else None
    if model is not None:
        found |= {model.tags[name] for name in _PARENT_TAGS if model.tags.get(name)}
        found |= {model.source_run_id} if model.source_run_id else set()
    return found


def _parents(client: MlflowClient, run_id: str) -> set[str]:
    run = _get_or_none(client.get_run, run_id)
    # runs of other servers and purged ones have no known parents
    return set() if run is None else {run.data.tags[name] for name in _PARENT_TAGS if run.data.tags.get(name)}


def run_exists(client: MlflowClient, run_id: str) -> bool:
    """Whether a run exists and is not deleted."""
    run = _get_or_none(client.get_run, run_id)
    return run is not None and run.info.lifecycle_stage == "active"


def _get_or_none(get: Callable[[str], T], key: str) -> T | None:
    """An MLflow entity, None if it does not exist."""
    from mlflow.exceptions import MlflowException

    try:
        return get(key)
    except MlflowException as error:
        # the second for malformed ids
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise
