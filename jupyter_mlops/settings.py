"""Settings of the server extension, the service and the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_data_dir
from traitlets import Bool, Enum, Float, Int, Unicode, default, validate
from traitlets.config import SingletonConfigurable

from .private import make_private


class MlopsSettings(SingletonConfigurable):
    """Settings of jupyter-mlops, as ``c.MlopsSettings.<name>`` in jupyter_server_config.py.

    The command line reads that file, too. None is needed on one machine.
    """

    _closed: Path | None = None  # the data folder, once this process has made it private

    data_dir = Unicode(
        help="Folder of the store, the executed notebooks and the embedded MLflow. Must be on a local disk."
    ).tag(config=True)
    store = Unicode(
        help="PostgreSQL database of the store: postgresql://user@host:5432/database. Empty: a SQLite file in data_dir."
    ).tag(config=True)
    mlflow_tracking_uri = Unicode(
        help="MLflow server to use. Empty: MLFLOW_TRACKING_URI where it is set, else an embedded MLflow."
    ).tag(config=True)
    local_slots = Int(
        0,
        help="Runs at once on the local target; 0 lets cores, cgroup and memory decide.",
    ).tag(config=True)
    slots_per_device = Int(1, min=1, help="Runs at once on each device of the cuda target; they share its memory.").tag(
        config=True
    )
    max_runs = Int(100_000, help="A sweep that would make more runs than this is refused.").tag(config=True)
    confirm_runs = Int(100, help="Starting more runs than this asks once for confirmation.").tag(config=True)
    max_output = Int(
        100_000_000,
        help="Bytes of output that one run's executed notebook may keep; beyond it is cut with a line.",
    ).tag(config=True)
    kernel_start = Enum(
        ["auto", "fresh"],
        "auto",
        help="How kernels start: auto forks warm ones where that is safe, fresh makes each a new process.",
    ).tag(config=True)
    max_attempts = Int(3, help="How often a run is tried whose worker or host was lost.").tag(config=True)
    target_idle_timeout = Float(600.0, help="Seconds without work after which a target's workers are ended.").tag(
        config=True
    )
    service_idle_timeout = Float(900.0, help="Seconds without work after which the service ends by itself.").tag(
        config=True
    )
    keep_deleted_days = Float(30.0, help="Days for which a deleted sweep can be restored.").tag(config=True)
    service_lost_after = Float(
        30.0,
        min=0.5,
        help="Seconds without a sign of life after which another service on the same store takes a service's runs "
        "over. The same for all services on one store.",
    ).tag(config=True)
    calls_per_minute = Int(
        60, min=1, help="Runs that calls of one trigger may make within a minute; more are refused until later."
    ).tag(config=True)
    start_service = Bool(
        True,
        help="Whether the Jupyter server starts the service when there is work. Off: start it yourself.",
    ).tag(config=True)

    @default("data_dir")
    def _default_data_dir(self) -> str:
        return str(Path(jupyter_data_dir()).absolute() / "mlops")

    @validate("data_dir")
    def _absolute_data_dir(self, proposal: Any) -> str:
        # the service runs in another working directory
        return str(Path(proposal["value"]).expanduser().absolute())

    @property
    def data_path(self) -> Path:
        """The data folder; created if necessary, and made private.

        Raises:
            UnavailableError: it cannot be created or made private.
        """
        path = Path(self.data_dir)
        if path != self._closed or not path.exists():
            make_private(path, "runs", "sweeps", "pipelines", "targets", "mlartifacts")
            self._closed = path
        return path

    @property
    def store_url(self) -> str:
        """SQLAlchemy URL of the store; it may hold a password, so never show it."""
        return self.store or f"sqlite:///{self.data_path / 'store.sqlite'}"

    def values(self) -> dict[str, Any]:
        """All settings as JSON values, to pass to the service's process."""
        return {name: getattr(self, name) for name in self.trait_names(config=True)}
