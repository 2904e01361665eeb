"""Waiting for a sweep: what is shown meanwhile, on standard error alone."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ..core.errors import ConflictError
from ..core.states import SWEEP_OVER, RunState, SweepState
from ..core.sweeps import Sweep
from .output import console, duration_text, note
from .session import POLL_SECONDS, Session
from .sweep_tables import best_text, finished, short_id, state_text

SERVICE_SECONDS = 2.0
LINE_SECONDS = 5.0


class Bar:
    """A progress bar, for a terminal."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}", markup=False),
            TimeElapsedColumn(),
            TextColumn("{task.fields[more]}", markup=False),
            console=console(sys.stderr),
        )
        self._task = self._progress.add_task("", total=1, more="")
        self.say = self._progress.console.print

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._progress.stop()

    def show(self, sweep: Sweep) -> None:
        """The sweep, as it is now."""
        self._progress.update(
            self._task, description=sweep.name, total=sweep.total, completed=finished(sweep), more=_more(sweep)
        )


class Lines:
    """A line now and then, for a log."""

    def __init__(self) -> None:
        self._said = ""
        self._at = -LINE_SECONDS
        self.say = note

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *raised: object) -> None:
        pass

    def show(self, sweep: Sweep) -> None:
        """The sweep, as it is now."""
        line = f"{finished(sweep)}/{sweep.total} {_more(sweep)}".rstrip()
        over = sweep.state in SWEEP_OVER
        if line != self._said and (over or time.monotonic() - self._at >= LINE_SECONDS):
            self._said, self._at = line, time.monotonic()
            note(line)


def wait_for(session: Session, sweep_id: str, *, definite: bool) -> Sweep:
    """Wait until a sweep is over; a service that ends meanwhile is started again.

    Args:
        session: of the command.
        sweep_id: of the sweep.
        definite: stop a sweep that pauses by itself, as no person is there to act on it.

    Returns:
        the sweep as it ended.
    """
    view: Bar | Lines = Bar() if sys.stderr.isatty() else Lines()
    watched = _Watched(session, view, definite)
    service = ServiceWatch(session, view.say)
    seen = -1
    with view:
        while True:
            revision = session.store.revision()
            if revision != seen:
                seen = revision
                sweep = session.store.sweeps.get(sweep_id)
                view.show(sweep)
                if sweep.state in SWEEP_OVER:
                    return sweep
                watched.look_at(sweep)
            service.look()
            time.sleep(POLL_SECONDS)


class _Watched:
    """What is done about a sweep while it is waited for."""

    def __init__(self, session: Session, view: Bar | Lines, definite: bool) -> None:
        self.session = session
        self.view = view
        self.definite = definite
        self._paused = False

    def look_at(self, sweep: Sweep) -> None:
        """Act on a pause, once each."""
        paused = sweep.state is SweepState.PAUSED
        if paused and not self._paused:
            which, why = short_id(sweep), sweep.message.rstrip(".")
            by_itself = bool(sweep.counts.get(RunState.FAILED)) and not sweep.counts.get(RunState.SUCCEEDED)
            if self.definite and by_itself:
                self.view.say(
                    f"{why}. The sweep is stopped; mend the cause and start it again, or repeat its "
                    f"runs with “jupyter mlops sweep retry {which}”."
                )
                self._stop(sweep)
            else:
                self.view.say(
                    f"Paused. {why}. “jupyter mlops sweep resume {which}” goes on, "
                    f"“jupyter mlops sweep stop {which}” ends it."
                )
        self._paused = paused

    def _stop(self, sweep: Sweep) -> None:
        try:
            self.session.sweeps.stop(sweep.id)
        except ConflictError:
            # it ended in this moment, which the next look shows
            return


class ServiceWatch:
    """Starts the service again where it ended in the middle.

    Args:
        say: what a person must not miss.
    """

    def __init__(self, session: Session, say: Callable[[str], None]) -> None:
        self.session = session
        self.say = say
        self._looked = time.monotonic()
        self._missed = False

    def look(self) -> None:
        """Look, not more often than now and then."""
        if time.monotonic() - self._looked <= SERVICE_SECONDS:
            return
        self._keep()
        self._looked = time.monotonic()

    def _keep(self) -> None:
        from ..services.process.launch import is_running, is_suspended

        if is_running(self.session.settings):
            self._missed = False
        elif self.session.settings.start_service and not is_suspended(self.session.settings):
            self.say("The service ended; it is started again.")
            self.session.wake()
        elif not self._missed:
            self._missed = True
            self.say("The service ended; start it again with “jupyter mlops service”.")


def _more(sweep: Sweep) -> str:
    parts = []
    if sweep.state is not SweepState.RUNNING:
        # why it pauses is said once, above
        parts.append("paused" if sweep.state is SweepState.PAUSED else state_text(sweep))
    parts += [
        f"{count} {state}"
        for state, count in sweep.counts.items()
        if state not in (RunState.QUEUED, RunState.SUCCEEDED)
    ]
    if sweep.best_value is not None:
        parts.append(f"best {best_text(sweep)}")
    left = sweep.total - finished(sweep) - sweep.counts.get(RunState.STOPPED, 0)
    if sweep.state is SweepState.RUNNING and sweep.run_seconds and sweep.slots_open and left:
        parts.append(f"about {duration_text(sweep.run_seconds * left / sweep.slots_open)} left")
    return " · ".join(parts)
