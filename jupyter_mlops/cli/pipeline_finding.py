"""From what a person types to a pipeline, one of its runs or one of its schedules."""

from __future__ import annotations

from ..core.errors import InvalidInputError, NotFoundError
from ..core.messages import Message
from ..core.pipelines.records import Pipeline, PipelineRun, Trigger
from .finding import LATEST, pick
from .session import Session


def find_pipeline(session: Session, text: str, *, deleted: bool = False) -> Pipeline:
    """The pipeline that a name, an id, its unambiguous beginning, or ``latest`` names.

    Args:
        deleted: among those that were deleted.

    Raises:
        NotFoundError: there is none.
        InvalidInputError: there are several.
    """
    known = session.pipelines.listed(deleted=deleted)
    if text == LATEST:
        if not known:
            raise NotFoundError(Message("There is no pipeline yet."))
        return known[-1]
    same = [pipeline for pipeline in known if pipeline.name == text]
    if len(same) > 1:
        some = ", ".join(pipeline.id[:8] for pipeline in same[:4])
        raise InvalidInputError(
            Message("{count} pipelines are named “{text}”; give an id: {some}.", count=len(same), text=text, some=some)
        )
    if same:
        return same[0]
    which = "deleted pipeline" if deleted else "pipeline"
    option = " --deleted" if deleted else ""
    return pick(known, text, f"There is no {which} “{text}”; “jupyter mlops pipelines{option}” lists those there are.")


def find_pipeline_run(session: Session, text: str) -> PipelineRun:
    """The run that ``PIPELINE-N``, a pipeline for its newest run, ``latest``, or an id names.

    Raises:
        NotFoundError: there is none.
        InvalidInputError: there are several.
    """
    if text == LATEST:
        runs = sorted(session.store.pipeline_runs.find(), key=lambda run: run.created_at)
        if not runs:
            raise NotFoundError(Message("No pipeline has run yet."))
        return runs[-1]
    pipelines = session.pipelines.listed(deleted=None)
    # a name may end with a dash and a number, too
    if text in {pipeline.name for pipeline in pipelines}:
        return _newest(session, find_pipeline(session, text))
    of_pipeline, _, number = text.rpartition("-")
    if of_pipeline and number.isdecimal():
        pipeline = find_pipeline(session, of_pipeline)
        for run in session.store.pipeline_runs.find(pipeline.id):
            if run.number == int(number):
                return run
        raise NotFoundError(
            Message(
                "“{name}” has no run {number}; it ran {times} so far.",
                name=pipeline.name,
                number=number,
                times=_times(pipeline.runs),
            )
        )
    if any(text and pipeline.id.startswith(text) for pipeline in pipelines):
        return _newest(session, find_pipeline(session, text))
    otherwise = f"There is no run “{text}”; “jupyter mlops pipeline runs PIPELINE” lists those of a pipeline."
    return pick(session.store.pipeline_runs.find(), text, otherwise)


def _newest(session: Session, pipeline: Pipeline) -> PipelineRun:
    runs = session.store.pipeline_runs.find(pipeline.id, limit=1)
    if not runs:
        raise NotFoundError(Message("“{name}” has not run yet.", name=pipeline.name))
    return runs[0]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def find_trigger(session: Session, text: str) -> Trigger:
    """The schedule or trigger that an id, or its unambiguous beginning, names.

    Raises:
        NotFoundError: there is none.
        InvalidInputError: several begin so.
    """
    known = session.store.triggers.find()
    return session.pipelines.shown_trigger(
        pick(known, text, f"There is no schedule “{text}”; “jupyter mlops schedules” lists those there are.").id
    )
