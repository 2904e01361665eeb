"""Which runs registered models come from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from .fields import PARENT

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

T = TypeVar("T")
_UPWARD = (PARENT, "mlops.owner")
_MODEL = "models:/"
_PAGE = 1000


class Registry:
    """Remembers what it has read: from where a model comes, and above which others a run stands, never changes."""

    def __init__(self) -> None:
        self._origins: dict[tuple[str, str], frozenset[str]] = {}

    def linked(self, client: MlflowClient, run_ids: set[str]) -> set[str]:
        """Those of some runs that a model comes from, be it from a run below them."""
        found: set[str] = set()
        for version in _versions(client):
            # a version that was deleted may be followed by another of its number
            key = (f"{version.name}/{version.version}", str(version.creation_timestamp))
            if key not in self._origins:
                self._origins[key] = _line(client, _origins(client, version))
            found |= self._origins[key] & run_ids
        return found


def _line(client: MlflowClient, run_ids: set[str]) -> frozenset[str]:
    """Some runs and all above them."""
    line: set[str] = set()
    todo = set(run_ids)
    while todo:
        line |= todo
        todo = {above for run_id in todo for above in _above(client, run_id)} - line
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
    """Runs that a version comes from; a model logged while no run was active says so by its tags alone."""
    found = {version.run_id} if version.run_id else set()
    source = str(version.source or "")
    model_id = getattr(version, "model_id", None) or (source.removeprefix(_MODEL) if source.startswith(_MODEL) else "")
    model = _there(client.get_logged_model, model_id) if model_id and "/" not in model_id else None
    if model is not None:
        found |= {model.tags[name] for name in _UPWARD if model.tags.get(name)}
        found |= {model.source_run_id} if model.source_run_id else set()
    return found


def _above(client: MlflowClient, run_id: str) -> set[str]:
    run = _there(client.get_run, run_id)
    # one of another server, or that was removed for good, has nothing above it
    return set() if run is None else {run.data.tags[name] for name in _UPWARD if run.data.tags.get(name)}


def is_there(client: MlflowClient, run_id: str) -> bool:
    """Whether a run exists and is not deleted."""
    run = _there(client.get_run, run_id)
    return run is not None and run.info.lifecycle_stage == "active"


def _there(get: Callable[[str], T], key: str) -> T | None:
    """What MLflow has of an id, None where it has nothing."""
    from mlflow.exceptions import MlflowException

    try:
        return get(key)
    except MlflowException as error:
        # one by an id that is none is refused otherwise
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise
