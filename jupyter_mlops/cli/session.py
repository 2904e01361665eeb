"""What every command needs: the settings, the store, and the way from what a person types to a record."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from jupyter_core.application import JupyterApp
from traitlets import TraitError

from ..core.errors import InvalidInputError, NotFoundError, UnavailableError
from ..core.messages import Message
from ..core.runs import Run
from ..core.sweeps import Sweep
from ..settings import MlopsSettings
from .output import SHORT

if TYPE_CHECKING:
    from ..core.pipelines.records import Pipeline, PipelineRun, Trigger
    from ..services.pipelines.requests import Pipelines
    from ..services.sweeps.requests import Sweeps
    from ..store import Store

LATEST = "latest"
ACT_SECONDS = 30.0
POLL_SECONDS = 0.25
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
        # a configuration file may print; standard output holds results alone
        with contextlib.redirect_stdout(sys.stderr):
            for name in _CONFIG_FILES:
                app.config_file_name = name
                app.load_config_file()
        app.update_config(given)
        return MlopsSettings(parent=app), app
    except TraitError as error:
        raise InvalidInputError(Message("A setting does not fit: {error}", error=error)) from None


class Session:
    """The settings of one command, and the store, which is opened when it is first used."""

    def __init__(self, settings: MlopsSettings, app: JupyterApp) -> None:
        self.settings = settings
        self.app = app

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *details: object) -> None:
        if "store" in self.__dict__:
            self.store.close()

    @cached_property
    def store(self) -> Store:
        """The store, for what is read again and again."""
        from ..services.process.launch import open_store

        return open_store(self.settings)

    @cached_property
    def sweeps(self) -> Sweeps:
        """What can be done with sweeps."""
        from ..services.sweeps.requests import Sweeps

        return Sweeps(self.store, self.settings)

    @cached_property
    def pipelines(self) -> Pipelines:
        """What can be done with pipelines."""
        from ..services.pipelines.requests import Pipelines

        return Pipelines(self.store, self.settings)

    def kernelspecs(self) -> dict[str, Any]:
        """Kernels installed here, as the server would offer them."""
        from jupyter_client.kernelspec import KernelSpecManager

        specs: dict[str, Any] = KernelSpecManager(parent=self.app).get_all_specs()
        return specs

    # -- the service ---------------------------------------------------------------------------

    def wake(self) -> None:
        """Start the service where none lives."""
        from ..services.process.launch import ensure_service

        ensure_service(self.settings, wait=20)

    def check_service(self) -> None:
        """Refuse to wait for a service that is off and may not be started.

        Raises:
            UnavailableError: none runs, and none may be started.
        """
        from ..services.process.launch import is_running

        if not self.settings.start_service and not is_running(self.settings):
            raise UnavailableError(
                Message(
                    "No service is running, and MlopsSettings.start_service is off: start one with "
                    "“jupyter mlops service”."
                )
            )

    def until(self, read: Callable[[], A], done: Callable[[A], bool], name: str) -> A:
        """Wait until the service did what was asked for.

        Args:
            read: the record, as it is now.
            done: whether it is done.
            name: of the record, for the message.

        Raises:
            UnavailableError: it is not done in time.
        """
        deadline = time.monotonic() + ACT_SECONDS
        while not done(found := read()):
            if time.monotonic() > deadline:
                raise UnavailableError(
                    Message(
                        "The request is stored, but {name} is still {state}; see “jupyter mlops service log”.",
                        name=name,
                        state=found.state,
                    )
                )
            time.sleep(POLL_SECONDS)
        return found

    # -- sweeps --------------------------------------------------------------------------------

    def find_sweep(self, text: str) -> Sweep:
        """The sweep that an id, its unambiguous beginning, or ``latest`` names.

        Raises:
            NotFoundError: there is none.
            InvalidInputError: several begin so.
        """
        return pick_sweep(self.sweeps.listed(), text)

    def find_run(self, text: str) -> Run:
        """The run that ``SWEEP-N`` names.

        Raises:
            NotFoundError: there is none.
            InvalidInputError: it names no run, or several sweeps begin so.
        """
        of_sweep, dash, number = text.rpartition("-")
        if not dash or not number.isdecimal():
            raise InvalidInputError(
                Message(
                    "“{text}” names no run; write SWEEP-N, as “jupyter mlops sweep runs SWEEP” shows it.", text=text
                )
            )
        sweep = self.find_sweep(of_sweep)
        for run in self.sweeps.runs(sweep.id):
            if run.index + 1 == int(number):
                return run
        raise NotFoundError(
            Message(
                "Sweep {id} has no run {number}; {planned} are planned so far.",
                id=sweep.id[:SHORT],
                number=number,
                planned=sweep.planned,
            )
        )

    def find(self, text: str) -> Sweep | Run:
        """The run where the text has a number behind a dash, else the sweep; raises as those do."""
        return self.find_run(text) if "-" in text else self.find_sweep(text)

    # -- pipelines -----------------------------------------------------------------------------

    def find_pipeline(self, text: str, *, deleted: bool = False) -> Pipeline:
        """The pipeline that a name, an id, its unambiguous beginning, or ``latest`` names.

        Args:
            deleted: among those that were deleted.

        Raises:
            NotFoundError: there is none.
            InvalidInputError: there are several.
        """
        known = self.pipelines.listed(deleted=deleted)
        if text == LATEST and known:
            return known[-1]
        what, lists = ("deleted pipeline", "pipeline list --deleted") if deleted else ("pipeline", "pipeline list")
        return pick_pipeline(known, text, missing(what, text, lists))

    def find_pipeline_run(self, text: str) -> PipelineRun:
        """The run that ``PIPELINE-N``, a pipeline for its newest run, ``latest``, or an id names.

        Raises:
            NotFoundError: there is none.
            InvalidInputError: there are several.
        """
        if text == LATEST:
            runs = sorted(self.store.pipeline_runs.find(), key=lambda run: run.created_at)
            if not runs:
                raise NotFoundError(Message("No pipeline has run yet."))
            return runs[-1]
        if self.is_pipeline(text):
            pipeline = self.find_pipeline(text)
            newest = self.store.pipeline_runs.find(pipeline.id, limit=1)
            if not newest:
                raise NotFoundError(Message("“{name}” has not run yet.", name=pipeline.name))
            return newest[0]
        of_pipeline, _, number = text.rpartition("-")
        if of_pipeline and number.isdecimal():
            pipeline = self.find_pipeline(of_pipeline)
            for run in self.store.pipeline_runs.find(pipeline.id):
                if run.number == int(number):
                    return run
            times = "once" if pipeline.runs == 1 else f"{pipeline.runs} times"
            raise NotFoundError(
                Message(
                    "“{name}” has no run {number}; it ran {times} so far.",
                    name=pipeline.name,
                    number=number,
                    times=times,
                )
            )
        return pick(self.store.pipeline_runs.find(), text, missing("run", text, "pipeline runs PIPELINE"))

    def is_pipeline(self, text: str) -> bool:
        """Whether a text names a pipeline, and not one of its runs; a name may end with a dash and a number, too."""
        known = self.pipelines.listed(deleted=None)
        return any(text == pipeline.name or (text and pipeline.id.startswith(text)) for pipeline in known)

    def find_trigger(self, text: str, *, timed: bool) -> Trigger:
        """The schedule or trigger that an id, or its unambiguous beginning, names.

        Args:
            timed: among schedules; False: among other triggers.

        Raises:
            NotFoundError: there is none.
            InvalidInputError: several begin so.
        """
        what = "schedule" if timed else "trigger"
        known = [trigger for trigger in self.store.triggers.find() if (trigger.kind == "cron") is timed]
        return self.pipelines.shown_trigger(pick(known, text, missing(what, text, f"{what} list")).id)

    def pipeline_names(self) -> dict[str, str]:
        """Names of all pipelines by id."""
        return {found.id: found.name for found in self.pipelines.listed(deleted=None)}


class Named(Protocol):
    """A record with an id."""

    @property
    def id(self) -> str:
        """Its id."""


class Acted(Protocol):
    """A record with a state."""

    @property
    def state(self) -> str:
        """Its state."""


T = TypeVar("T", bound=Named)
A = TypeVar("A", bound=Acted)


def pick(known: Sequence[T], text: str, otherwise: Message) -> T:
    """The one whose id is, or begins with, a text.

    Args:
        otherwise: the message where there is none.

    Raises:
        NotFoundError: there is none.
        InvalidInputError: several begin so.
    """
    found = [item for item in known if text and item.id.startswith(text)]
    if not found:
        raise NotFoundError(otherwise)
    if len(found) > 1:
        some = ", ".join(item.id[: max(SHORT, len(text) + 2)] for item in found[:4])
        raise InvalidInputError(
            Message(
                "“{text}” may be any of {some}{value}; give more of it.",
                text=text,
                some=some,
                value=", …" if len(found) > 4 else "",
            )
        )
    return found[0]


def pick_pipeline(known: Sequence[Pipeline], text: str, otherwise: Message) -> Pipeline:
    """The pipeline with this name, where one alone has it, or else as :func:`pick`, which says the rest."""
    same = [pipeline for pipeline in known if pipeline.name == text]
    if len(same) > 1:
        some = ", ".join(pipeline.id[:SHORT] for pipeline in same[:4])
        raise InvalidInputError(
            Message("{count} pipelines are named “{text}”; give an id: {some}.", count=len(same), text=text, some=some)
        )
    return same[0] if same else pick(known, text, otherwise)


def pick_sweep(known: Sequence[Sweep], text: str) -> Sweep:
    """The sweep that an id, its unambiguous beginning, or ``latest`` names.

    Args:
        known: newest first.

    Raises:
        NotFoundError: there is none.
        InvalidInputError: several begin so.
    """
    if text == LATEST and known:
        return known[0]
    return pick(known, text, missing("sweep", text, "sweep list"))


def missing(what: str, text: str, lists: str) -> Message:
    """That a text names nothing, and the command that lists what there is."""
    return Message(
        "There is no {what} “{text}”; “jupyter mlops {lists}” lists those there are.", what=what, text=text, lists=lists
    )
