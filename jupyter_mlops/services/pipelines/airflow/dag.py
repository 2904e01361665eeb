"""The part of an exported file that needs Airflow: tasks, their order, when each runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ....core.pipelines.definition import Step
from ....core.pipelines.order import ancestors, order
from ..exporters import ExportSource
from .remarks import airflow_cron

_IMPORTS = '''\
import inspect
from datetime import datetime, timedelta, timezone

try:
    from airflow.sdk import BaseOperator, dag, get_current_context, task
    from airflow.sdk.exceptions import AirflowSkipException
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task
    from airflow.exceptions import AirflowSkipException
    from airflow.models.baseoperator import BaseOperator
    from airflow.operators.python import get_current_context
from airflow.timetables.trigger import CronTriggerTimetable


def backoff(factor):
    """How many times as long each next wait is; older versions of Airflow know only whether it grows."""
    known = inspect.signature(BaseOperator.__init__).parameters["retry_exponential_backoff"].default
    return factor > 1 if isinstance(known, bool) else factor


def current_run(sources):
    """The run that a task belongs to, with what other steps handed on."""
    context = get_current_context()
    instance, dag_run = context["ti"], context["dag_run"]
    at = context.get("logical_date") or dag_run.run_after
    outputs = {}
    for source in sources:
        found = instance.xcom_pull(task_ids=source)
        if found is not None:
            outputs[source] = found
    return Run(
        pipeline=instance.dag_id,
        run_id=dag_run.run_id,
        attempt=instance.try_number,
        parameters={"scheduled_time": at.isoformat(), **dict(context["params"])},
        outputs=outputs,
        index=instance.map_index,
    )


def step_task(name, function, sources, *, gate=None, **options):
    """A task that executes a step, or skips it where it is not its turn."""

    @task(task_id=name, **options)
    def execute(parameters=None):
        if gate and not get_current_context()["ti"].xcom_pull(task_ids=gate):
            raise AirflowSkipException("Nothing before it failed")
        try:
            run = current_run(sources)
            return function(run) if parameters is None else function(run, parameters)
        except SkippedError as reason:
            raise AirflowSkipException(str(reason)) from None

    return execute


def failure_task(name):
    """A task that succeeds where something before it failed, and is skipped otherwise."""

    @task(task_id=name, trigger_rule="one_failed")
    def failed():
        return True

    return failed()


def best_task(name, metric, direction):
    """A task that chooses the best of a sweep's runs."""

    @task(task_id=name, trigger_rule="none_skipped")
    def choose(results):
        return best_of(results, metric, direction)

    return choose
'''

_WATCHER = [
    "",
    "    # what runs after a failure must not make the run a success",
    '    @task(task_id="run.failed", trigger_rule="one_failed")',
    "    def fail():",
    '        raise RuntimeError("A step failed.")',
    "",
    "    list(done.values()) >> fail()",
]


def dag_part(source: ExportSource, functions: Mapping[str, str], waits: Mapping[str, list[str]]) -> str:
    """The text."""
    definition = source.definition
    lines = [
        "@dag(",
        f"    dag_id={_dag_id(source.name)!r},",
        *(f"    description={text!r}," for text in [definition.description.strip()] if text),
        *_schedule(source),
        f"    max_active_runs={definition.concurrency},",
        *(f"    dagrun_timeout=timedelta(seconds={limit!r})," for limit in [definition.deadline] if limit is not None),
        "    params=PARAMETERS,",
        '    tags=["jupyter-mlops"],',
        ")",
        "def pipeline():",
        "    done = {}",
    ]
    for name in order(definition):
        lines += _tasks(name, definition.steps[name], functions[name], waits)
    if any(step.run_if != "succeeded" for step in definition.steps.values()):
        lines += _WATCHER
    return _IMPORTS + "\n\n" + "\n".join(lines) + "\n\n\npipeline = pipeline()\n"


def _dag_id(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.")[:200] or "pipeline"


def _schedule(source: ExportSource) -> Iterator[str]:
    schedule = next((trigger for trigger in source.triggers if trigger.kind == "cron"), None)
    line = airflow_cron(schedule.cron) if schedule else None
    if schedule is None or line is None:
        yield "    schedule=None,"
        yield "    catchup=False,"
    else:
        yield f"    schedule=CronTriggerTimetable({line!r}, timezone={schedule.zone!r}),"
        yield f"    catchup={schedule.missed == 'all'},"
    day = source.day
    yield f"    start_date=datetime({day.year}, {day.month}, {day.day}, tzinfo=timezone.utc),"


def _tasks(name: str, step: Step, function: str, waits: Mapping[str, list[str]]) -> Iterator[str]:
    yield ""
    yield from (f"    {line}" for line in _task(name, step, function, waits))


def _task(name: str, step: Step, function: str, waits: Mapping[str, list[str]]) -> Iterator[str]:
    before = waits[name]
    options = dict(_options(step))
    begin: dict[str, str] = {} if step.run_if == "succeeded" else {"trigger_rule": repr("all_done")}
    gate = f"{name}.if-failed"
    if step.run_if == "failed":
        begin["gate"] = repr(gate)
        yield f"gate = failure_task({gate!r})"
        yield f"[{', '.join(f'done[{other!r}]' for other in ancestors(name, waits))}] >> gate"
    sources = repr(before)
    if step.sweep is None:
        yield from _made("begin", name, function, sources, {**begin, **options})
        yield f"done[{name!r}] = begin"
    else:
        if step.sweep.slots is not None:
            options["max_active_tis_per_dagrun"] = repr(step.sweep.slots)
        objective = step.sweep.objective
        yield from _made("begin", f"{name}.points", f"{function}_points", sources, begin)
        yield from _made("runs", f"{name}.run", function, sources, options, behind=".expand(parameters=begin)")
        yield f"done[{name!r}] = best_task({name!r}, {objective.metric!r}, {objective.direction!r})(runs)"
        yield f"begin >> done[{name!r}]"
    if step.run_if == "failed":
        yield "gate >> begin"
    if before:
        yield f"[{', '.join(f'done[{other!r}]' for other in before)}] >> begin"


def _options(step: Step) -> Iterator[tuple[str, str]]:
    if step.retries:
        yield "retries", repr(step.retries)
        yield "retry_delay", f"timedelta(seconds={step.retry_delay!r})"
        if step.retry_backoff != 1:
            yield "retry_exponential_backoff", f"backoff({step.retry_backoff!r})"
    if step.timeout is not None:
        yield "execution_timeout", f"timedelta(seconds={step.timeout!r})"


def _made(
    variable: str, name: str, function: str, sources: str, options: Mapping[str, str], *, behind: str = "()"
) -> Iterator[str]:
    yield f"{variable} = step_task("
    yield f"    {name!r}, {function}, {sources},"
    for option, value in options.items():
        yield f"    {option}={value},"
    yield f"){behind}"
