"""Records the metrics that a notebook logs to MLflow. Sent to the kernel: standard library only.

The service reads what reaches the embedded MLflow from its file; everything else is recorded here. Any version of
MLflow may be there, or none. The notebook's own calls never fail or change because of this.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import sys
import threading
from typing import Any

STORE = "mlflow.store.tracking.abstract_store"
MOST = 64_000_000  # bytes of the file

_inside = threading.local()
_lock = threading.Lock()
_files: dict[str, int] = {}


def watch() -> None:
    """Record from now on, whether MLflow is imported already or later."""
    try:
        if STORE in sys.modules:
            _hook(sys.modules[STORE])
        else:
            sys.meta_path.insert(0, _Finder())  # type: ignore[arg-type]
    except Exception:
        return  # an MLflow unlike any known; its metrics are read after the last cell


class _Finder:
    """Hooks into MLflow when it is imported."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """The module's spec, with a loader that hooks into it; None for all other modules."""
        if name != STORE or self not in sys.meta_path:
            return None
        sys.meta_path.remove(self)  # type: ignore[arg-type]
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: Any) -> None:
                execute(module)
                try:
                    _hook(module)
                except Exception:  # as in watch
                    return

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _hook(module: Any) -> None:
    """Wrap the methods of all stores, present and future."""
    base = module.AbstractStore
    if "mlops_hooked" in vars(base):
        return
    base.mlops_hooked = True
    kinds = [base]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    for kind in set(kinds):
        _wrap(kind)

    own = vars(base).get("__init_subclass__")

    def subclassed(kind: type, /, **options: Any) -> None:
        inherited = super(base, kind).__init_subclass__ if own is None else own.__get__(None, kind)
        inherited(**options)
        _wrap(kind)

    base.__init_subclass__ = classmethod(subclassed)


def _wrap(kind: Any) -> None:
    for name in ("log_metric", "log_batch"):
        if name in vars(kind):
            setattr(kind, name, _recording(vars(kind)[name], name == "log_batch"))


def _recording(method: Any, many: bool) -> Any:
    @functools.wraps(method)
    def call(store: Any, *arguments: Any, **named: Any) -> Any:
        if getattr(_inside, "call", False):  # a store that calls another, or itself
            return method(store, *arguments, **named)
        _inside.call = True
        try:
            answer = method(store, *arguments, **named)
        finally:
            _inside.call = False
        try:
            metrics = named["metrics" if many else "metric"] if len(arguments) < 2 else arguments[1]
            _record(store, metrics if many else [metrics])
        except Exception:
            return answer  # the metrics were logged; only their curve lacks them
        return answer

    return call


def _record(store: Any, metrics: Any) -> None:
    path = os.environ.get("MLOPS_CURVES")
    if not path or not metrics or _is_embedded(store):
        return
    line = json.dumps([[metric.key, int(metric.step), float(metric.value)] for metric in metrics]) + "\n"
    with _lock:
        if path not in _files:
            _files[path] = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        if os.fstat(_files[path]).st_size < MOST:
            os.write(_files[path], line.encode())


def _is_embedded(store: Any) -> bool:
    embedded = os.environ.get("MLOPS_MLFLOW_EMBEDDED")
    credentials = getattr(store, "get_host_creds", None)
    return bool(embedded and credentials and credentials().host.rstrip("/") == embedded)
