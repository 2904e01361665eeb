"""Environment variables of kernels."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...core.errors import UnavailableError
from ...core.processes import proxy_bypass
from ...core.runs import RunExtras, RunSpec, SecretRef
from ...secret_values import find_secret
from ..attempt_files import curves_file, files_folder, outputs_file
from ..failures import StepError

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMEXPR_MAX_THREADS",
    "NUMBA_NUM_THREADS",
    "POLARS_MAX_THREADS",
)
# set by a host whose workers have a CUDA device each
ONE_DEVICE = "MLOPS_ONE_DEVICE"
# asks for what the notebook logs elsewhere than to the embedded MLflow; that one's address, empty if there is none
WATCHES_MLFLOW = "MLOPS_MLFLOW_EMBEDDED"
# set by Dask for its own processes, or by a Jupyter server for its own kernels
_NOT_INHERITED = ("DASK_INTERNAL_INHERIT_CONFIG", "JPY_SESSION_NAME", "JPY_PARENT_PID")


def dask_worker() -> Any:
    """The Dask worker whose task this thread executes, None outside Dask."""
    if "distributed" not in sys.modules:
        return None
    from distributed import get_worker

    try:
        return get_worker()
    except ValueError:
        return None


def _set_by_dask(environ: dict[str, str]) -> set[str]:
    """Variables that Dask's nanny sets for its worker, not meant for kernels."""
    worker = dask_worker()
    if worker is None or worker.nanny is None:
        return set()
    import dask

    given = {"PYTHONHASHSEED": "6640", **dask.config.get("distributed.nanny.pre-spawn-environ", {})}
    return {name for name, value in given.items() if environ.get(name) == str(value)}


def kernel_environment(spec: RunSpec) -> dict[str, str]:
    """The worker's environment with the run's ids, folder and number of threads.

    A number of threads in the worker's environment is kept unless the step sets ``cpus``.
    """
    environ = dict(os.environ)
    for name in (*_set_by_dask(environ), *_NOT_INHERITED):
        environ.pop(name, None)
    if spec.kernelspec is not None:
        _enter(environ, Path(spec.kernelspec.argv[0]).parent)
    if spec.extras is not None:
        _add_extras(environ, spec, spec.extras)
    for name in THREAD_VARIABLES:
        environ.setdefault(name, str(spec.threads))
    if environ.pop(ONE_DEVICE, "") == "1":
        # dask-cuda lists the worker's own device first, and the others behind it
        own, *_ = environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
        environ["CUDA_VISIBLE_DEVICES"] = own.strip()
    environ.update(
        MLOPS_RUN_DIR=str(files_folder(spec)),
        MLOPS_RUN_ID=spec.run_id,
        MLOPS_SWEEP_ID=spec.sweep_id,
        MLOPS_ATTEMPT=str(spec.attempt),
    )
    environ.update(spec.env)
    if WATCHES_MLFLOW in spec.env:
        environ["MLOPS_CURVES"] = str(curves_file(spec))
    environ.update(proxy_bypass(environ))
    return environ


def _enter(environ: dict[str, str], programs: Path) -> None:
    """Activate the kernel's environment for programs that the notebook calls, unless it is the worker's own."""
    if programs == Path(sys.executable).parent or not (programs / "python").exists():
        return
    environ["PATH"] = os.pathsep.join(filter(None, [str(programs), environ.get("PATH")]))
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if name in environ:
            environ[name] = str(programs.parent)


def _add_extras(environ: dict[str, str], spec: RunSpec, extras: RunExtras) -> None:
    if extras.cpus is not None:
        environ.update(dict.fromkeys(THREAD_VARIABLES, str(extras.cpus)))
    environ.update(extras.env)
    environ["MLOPS_OUTPUTS"] = str(outputs_file(spec))
    if extras.project and extras.live and environ.get("PYTHONPATH"):
        # import the version's modules, not the user's current ones
        paths = environ["PYTHONPATH"].split(os.pathsep)
        environ["PYTHONPATH"] = os.pathsep.join(_moved(path, extras.live, extras.project) for path in paths)


def _moved(path: str, live: str, project: str) -> str:
    for root in (live, os.path.realpath(live)):
        if path == root or path.startswith(os.path.join(root, "")):
            return os.path.join(project, os.path.relpath(path, root))
    return path


def own_variables(
    environ: dict[str, str], extras: RunExtras | None, secrets: Mapping[str, str]
) -> dict[str, str | None]:
    """Move secrets and the variables they come from out of an environment that fork servers share.

    Args:
        environ: changed in place.
        secrets: values by name.
    """
    if extras is None:
        return {}
    places = [reference.env for reference in extras.secrets.values() if reference.env]
    own: dict[str, str | None] = {name: environ.pop(name, None) for name in (*places, *secrets)}
    own.update(secrets)
    return own


def find_secrets(references: Mapping[str, SecretRef]) -> dict[str, str]:
    """The secrets' values by name.

    Raises:
        StepError: one cannot be found; the message names the secret and its place, never a value.
    """
    try:
        return {name: find_secret(name, reference, "worker") for name, reference in references.items()}
    except UnavailableError as error:
        raise StepError("Secret", error.message) from error
