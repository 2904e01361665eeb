"""Checks of run requests from users and from HTTP calls."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, tzinfo
from typing import Any

from ...core.errors import InvalidInputError
from ...core.messages import Message
from ...core.notebook.reading import inspect, read_notebook
from ...core.pipelines.order import referring_texts
from ...core.pipelines.records import Version
from ...core.pipelines.references import find_references
from ...core.values import all_wrong, check_overrides, show
from ..base import RequestsBase
from .pipeline_file import wrong_values
from .steps import notebook_path


def check_parameters(requests: RequestsBase, version: Version, parameters: dict[str, Any]) -> None:
    """Refuse parameters that a version does not have, or that the notebooks of its steps do not take.

    Raises:
        InvalidInputError: says all that is wrong with them.
    """
    definition = version.definition
    checked, wrong = check_overrides(parameters, definition.parameters)
    values = {**definition.parameters, **checked}
    problems = list(wrong.values())
    for name, step in definition.steps.items():
        places = {
            path
            for path, text in referring_texts(step)
            if any(not reference.step and reference.name in checked for reference in find_references(text))
        }
        if not places:
            continue
        notebook = read_notebook(requests.store.blobs.get(version.files[notebook_path(version.folder, step.notebook)]))
        found = wrong_values(inspect(notebook, step.notebook), step, values, requests.settings.max_runs)
        # what else is wrong was so before, and these parameters are not to blame
        problems += [
            Message("Step “{name}”: {said}", name=name, said=said)
            for at, said in found
            if any(place[: len(at)] == at for place in places)
        ]
    if problems:
        raise all_wrong(problems)


def moment_of(text: str, field: str = "scheduled_time", zone: tzinfo = UTC, of_day: time = time.min) -> datetime:
    """Parse a moment and convert it to UTC.

    Args:
        text: an ISO date or time.
        field: of the request, for the error.
        zone: used if the text names none.
        of_day: time of day used for a date.

    Raises:
        InvalidInputError: it is invalid, or too close to the ends of the calendar to calculate with.
    """
    try:
        moment = datetime.combine(date.fromisoformat(text), of_day) if len(text) <= 10 else datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInputError(
            Message("{text} is no time; write 2026-01-31 or 2026-01-31T06:00+01:00.", text=show(text)),
            {field: Message("is no time")},
        ) from None
    if not 1 < moment.year < 9999:
        raise InvalidInputError(
            Message("{text} is out of the calendar.", text=show(text)), {field: Message("is out of range")}
        )
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
