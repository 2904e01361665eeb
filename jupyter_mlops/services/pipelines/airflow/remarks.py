"""What of a pipeline an exported DAG does not do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ....core.pipelines.definition import PipelineDefinition, Step
from ....core.pipelines.records import Trigger
from ....core.pipelines.references import Reference, split

MAPPED = 1024  # Airflow's limit of mapped tasks unless it is told otherwise


def remarks_of(definition: PipelineDefinition, triggers: list[Trigger], sizes: Mapping[str, int | None]) -> list[str]:
    """One sentence each, those on the whole pipeline first.

    Args:
        sizes: how many runs a step has that is a sweep, None where that is known only when it runs.
    """
    found = [*_of_pipeline(definition), *_of_triggers(triggers)]
    for name, step in definition.steps.items():
        found += [f"Step “{name}”: {remark}" for remark in _of_step(step, sizes.get(name))]
    return found


def airflow_cron(line: str) -> str | None:
    """A cron line as Airflow has it, None where it has none such."""
    fields = line.split()
    if len(fields) != 5:
        return line
    if "w" in fields[2].lower():
        return None
    # the last Friday is 5L here and L5 there
    fields[4] = re.sub(r"(?<![\w])(\d)[lL](?!\w)", r"L\1", fields[4])
    return " ".join(fields)


def _days_differ(line: str) -> bool:
    """Whether Airflow's croniter takes either day field where cronsim takes both: one begins with “*”."""
    days = line.split()[2::2]
    return len(days) == 2 and "*" not in days and any(day.startswith("*") for day in days)


def _of_pipeline(definition: PipelineDefinition) -> Iterator[str]:
    yield "Runs are not written to MLflow; what notebooks log themselves goes where MLFLOW_TRACKING_URI says."
    if definition.alerts.to:
        yield "Alerts are not sent; use Airflow's notifiers or callbacks."
    if definition.environment == "refuse":
        yield "Runs are not refused where installed packages differ from those at promotion."
    if definition.retention.runs is not None or definition.retention.days is not None:
        yield "Past runs are kept; remove old folders below MLOPS_RUNS, and use “airflow db clean”."
    if any(step.secrets for step in definition.steps.values()):
        yield "Secrets are given to notebooks, but not taken out of executed notebooks and logs."


def _of_triggers(triggers: list[Trigger]) -> Iterator[str]:
    schedules = [trigger for trigger in triggers if trigger.kind == "cron"]
    for trigger in schedules[1:]:
        yield f"The schedule {trigger.cron} ({trigger.zone}) is left out: a DAG has one."
    for trigger in schedules[:1]:
        if airflow_cron(trigger.cron) is None:
            yield f"The schedule {trigger.cron} is left out: Airflow knows no working days in a cron line."
            continue
        if _days_differ(trigger.cron):
            yield (
                f"The schedule {trigger.cron} is met on days that fit day and weekday; Airflow runs on days that fit "
                "either: write the days without “*/”."
            )
        if trigger.zone not in ("UTC", "Etc/UTC"):
            yield "On the days when clocks are changed Airflow has rules of its own for the schedule's times."
    for trigger in triggers:
        match trigger.kind:
            case "files":
                yield f"New files under {trigger.pattern} start nothing; use a sensor or an asset watcher."
            case "pipeline":
                yield "The end of another pipeline starts nothing; use assets or TriggerDagRunOperator."
            case "http":
                yield "A call with the trigger's token starts nothing; use Airflow's REST API."
            case "cron" if trigger.overlap != "queue":
                yield f"A run that is due while another goes on is queued, where the pipeline has “{trigger.overlap}”."


def _of_step(step: Step, size: int | None) -> Iterator[str]:
    if step.reuse:
        yield "it always runs: earlier results are not reused."
    if step.inputs:
        yield "the files that it reads are not recorded."
    asked = [kind for kind in ("cpus", "gpus", "memory") if getattr(step, kind) is not None]
    if asked:
        yield f"{', '.join(asked)} are not asked for; use pools, or the executor's own settings."
    if step.target:
        yield f"it does not run on the target {step.target} but where Airflow runs its tasks."
    if step.sweep is None:
        return
    if step.sweep.shared_prefix:
        yield "the first cells are executed in each run of the sweep."
    if size is not None and size > MAPPED:
        yield f"its {size:,} runs need a higher max_map_length in Airflow's configuration."
    for key, text in step.sweep.space.items():
        parts = split(text)
        if any(isinstance(part, Reference) for part in parts) and any(
            ":" in part for part in parts if isinstance(part, str)
        ):
            yield f"the space of {key} is a range with a reference, and only lists can be known when the DAG runs."
