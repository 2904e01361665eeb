"""What every command needs: the settings, the store, and the way from an abbreviated id to a record."""

from __future__ import annotations

import contextlib
import sys
from copy import deepcopy
from typing import Any

from jupyter_core.application import JupyterApp
from traitlets import TraitError

from ..core.errors import InvalidInputError, NotFoundError
from ..core.messages import Message
from ..core.runs import Run
from ..core.sweeps import Sweep
from ..services.pipelines.requests import Pipelines
from ..services.process.launch import ensure_service, is_running
from ..services.sweeps.requests import Sweeps
from ..settings import MlopsSettings
from ..store import Store
from .finding import pick_sweep

# as the server does it: the extension's own file first, then the server's
_CONFIG_FILES = ("jupyter_jupyter_mlops_config", "jupyter_server_config")


class _Configured(JupyterApp):
    """Finds and reads Jupyter's configuration files."""

    name = "jupyter-mlops"
    classes = [MlopsSettings]


def load_settings(overrides: list[str], data_dir: str | None = None) -> tuple[MlopsSettings, JupyterApp]:
    """Settings from the same configuration files that count for the Jupyter server.

    Args:
        overrides: words such as ``--MlopsSettings.local_slots=2``.
        data_dir: overrides the setting of this name.

    Returns:
        the settings, and the application that holds the whole configuration.

    Raises:
        InvalidInputError: a setting is unknown or its value does not fit.
    """
    names = MlopsSettings.class_trait_names(config=True)
    for word in overrides:
        name = word.partition("=")[0].removeprefix("--MlopsSettings.")
        if name not in names:
            raise InvalidInputError(
                Message("There is no setting {name}; there are {names}.", name=name, names=", ".join(sorted(names)))
            )
    if data_dir is not None:
        overrides = [*overrides, f"--MlopsSettings.data_dir={data_dir}"]
    app = _Configured(log_level="WARN")
    try:
        app.parse_command_line(overrides)
        given = deepcopy(app.config)
        # a configuration file may print; standard output is ours alone
        with contextlib.redirect_stdout(sys.stderr):
            for name in _CONFIG_FILES:
                app.config_file_name = name
                app.load_config_file()
        app.update_config(given)
        return MlopsSettings(parent=app), app
    except TraitError as error:
        raise InvalidInputError(Message("A setting does not fit: {error}", error=error)) from None


class Session:
    """The settings and the opened store of one command."""

    def __init__(self, settings: MlopsSettings, app: JupyterApp) -> None:
        self.settings = settings
        self.app = app
        self.sweeps = Sweeps(Store(settings.store_url), settings)
        self.pipelines = Pipelines(self.sweeps.store, settings)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *details: object) -> None:
        self.sweeps.store.close()

    @property
    def store(self) -> Store:
        """The store, for what is read again and again."""
        return self.sweeps.store

    def kernelspecs(self) -> dict[str, Any]:
        """Kernels installed here, as the server would offer them."""
        from jupyter_client.kernelspec import KernelSpecManager

        specs: dict[str, Any] = KernelSpecManager(parent=self.app).get_all_specs()
        return specs

    def wake(self) -> bool:
        """Start the service where none lives; whether one lives now."""
        ensure_service(self.settings, wait=20)
        return is_running(self.settings)

    # -- from words to records ---------------------------------------------------------------

    def all_sweeps(self) -> list[Sweep]:
        """Every sweep that is not deleted, newest first."""
        return self.sweeps.listed()

    def find_sweep(self, text: str) -> Sweep:
        """The sweep that an id, its unambiguous beginning, or ``latest`` names.

        Raises:
            NotFoundError: there is none.
            InvalidInputError: several begin so.
        """
        return pick_sweep(self.all_sweeps(), text)

    def find_run(self, text: str) -> Run:
        """The run that ``SWEEP-N`` names.

        Raises:
            NotFoundError: there is none.
            InvalidInputError: it names no run, or several sweeps begin so.
        """
        of_sweep, dash, number = text.rpartition("-")
        if not dash or not number.isdecimal():
            raise InvalidInputError(
                Message("“{text}” names no run; write SWEEP-N, as “jupyter mlops runs SWEEP” shows it.", text=text)
            )
        sweep = self.find_sweep(of_sweep)
        for run in self.sweeps.runs(sweep.id).runs:
            if run.index + 1 == int(number):
                return run
        raise NotFoundError(
            Message(
                "Sweep {id} has no run {number}; {planned} are planned so far.",
                id=sweep.id[:8],
                number=number,
                planned=sweep.planned,
            )
        )

    def find(self, text: str) -> Sweep | Run:
        """The run where the text has a number behind a dash, else the sweep; raises as those do."""
        return self.find_run(text) if "-" in text else self.find_sweep(text)
