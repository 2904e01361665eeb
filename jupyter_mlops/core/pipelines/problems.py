"""Finds errors in a pipeline's definition, beyond the types of its fields."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from ..errors import InvalidInputError
from ..messages import Message
from ..record import MAX_INTEGER, MAX_SECONDS
from ..runs import SecretRef
from ..values import looks_secret
from .conditions import Condition
from .definition import PipelineDefinition, Step
from .order import cycle_sentence, edges, find_cycle, references_of, referring_texts
from .references import NAME, SCHEDULED_TIME, STEP_NAME, Path, Reference, find_references, suggestion

Found = Iterator[tuple[Path, Message]]
_OutputsOf = Callable[[str], Collection[str]]  # names of a step's outputs


def problems_of(
    definition: PipelineDefinition, most: int | None = None, unclear: Collection[str] = ()
) -> list[tuple[Path, Message]]:
    """Errors, each with its path from the definition's root (keys and positions) and one sentence.

    Args:
        most: maximum number of errors; None for all.
        unclear: steps whose outputs and dependencies are unknown because of other errors; "" stands for the pipeline's
            parameters.
    """
    return list(islice(_problems(definition, unclear), most))


def _problems(definition: PipelineDefinition, unclear: Collection[str]) -> Found:
    yield from _whole(definition)
    outputs_of = cache(lambda source: dict.fromkeys(declared_outputs(definition.steps[source])))
    for name, step in definition.steps.items():
        for path, sentence in _step(name, step, definition, outputs_of, unclear):
            yield ("steps", name, *path), sentence
    circle = find_cycle(edges(definition))
    if circle:
        yield ("steps", circle[0]), cycle_sentence(circle)


def _whole(definition: PipelineDefinition) -> Found:
    if not definition.steps:
        yield ("steps",), Message("A pipeline needs at least one step.")
    for name, value in definition.parameters.items():
        if not NAME.fullmatch(name):
            yield (
                ("parameters", name),
                Message(
                    "“{name}” cannot name a parameter: letters, digits and _ can, not beginning with a digit.",
                    name=name,
                ),
            )
        if name == SCHEDULED_TIME:
            yield (
                ("parameters", name),
                Message(
                    "“{scheduled_time}” is given to every run; it needs no default.", scheduled_time=SCHEDULED_TIME
                ),
            )
        yield from _plain_secret(("parameters", name), name, value, "read it in the notebook from a step's “secrets”")
    yield from _numbers({"concurrency": definition.concurrency}, least=1)
    yield from _numbers({"deadline": definition.deadline}, above=0, most=MAX_SECONDS)
    retention = definition.retention
    kept = [*_numbers({"runs": retention.runs}, least=0), *_numbers({"days": retention.days}, least=0, most=36_500)]
    for path, sentence in kept:
        yield ("retention", *path), sentence
    alerts = definition.alerts
    for path, sentence in _numbers({"slow": alerts.slow}, above=0, most=MAX_SECONDS):
        yield ("alerts", *path), sentence
    yield from _duplicates(("alerts", "on"), alerts.on)
    for position, address in enumerate(alerts.to):
        if isinstance(address, SecretRef):
            yield from _secret(("alerts", "to", position), address)
        elif not address.strip():
            yield ("alerts", "to", position), Message("This address is empty.")


def _step(
    name: str, step: Step, definition: PipelineDefinition, outputs_of: _OutputsOf, unclear: Collection[str]
) -> Found:
    if not STEP_NAME.fullmatch(name):
        yield (
            (),
            Message(
                "“{name}” cannot name a step: up to 100 letters, digits, _ and - can, beginning with a letter or _.",
                name=name,
            ),
        )
    yield from _notebook(step.notebook)
    yield from _policies(step)
    yield from _outputs_and_files(step)
    yield from _environment(step)
    for position, source in enumerate(step.after):
        if source not in definition.steps:
            yield (
                ("after", position),
                Message(
                    "There is no step “{source}” to wait for{step_suggestion}",
                    source=source,
                    step_suggestion=_step_suggestion(source, definition),
                ),
            )
    for path, text in referring_texts(step):
        yield from _references(name, path, text, definition, outputs_of, unclear=unclear)
    if step.when:
        yield from _condition(name, step.when, definition, unclear)
    if name in unclear:
        return
    if step.run_if != "succeeded" and not step.after and not any(source for source, _ in references_of(step)):
        yield (
            ("run_if",),
            Message("“run_if: {run_if}” has nothing to wait for; name a step in “after”.", run_if=step.run_if),
        )


def _notebook(notebook: str) -> Found:
    path = PurePosixPath(notebook)
    if not notebook.strip():
        yield ("notebook",), Message("Say which notebook: the path is empty.")
    elif "\\" in notebook or "\0" in notebook:
        yield ("notebook",), Message("“{notebook}” is no path here; write / between folders.", notebook=notebook)
    elif path.is_absolute() or notebook.startswith("~"):
        yield ("notebook",), Message("“{notebook}” must be relative to the pipeline file's folder.", notebook=notebook)
    elif _leaves_folder(path):
        yield (
            ("notebook",),
            Message(
                "“{notebook}” leaves the pipeline file's folder; keep the file above its notebooks.", notebook=notebook
            ),
        )
    elif path.suffix != ".ipynb":
        yield ("notebook",), Message("“{notebook}” is no notebook: its name must end with .ipynb.", notebook=notebook)


def _leaves_folder(path: PurePosixPath) -> bool:
    depth = 0
    for part in path.parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    return False


def _policies(step: Step) -> Found:
    yield from _numbers({"retries": step.retries, "gpus": step.gpus}, least=0)
    yield from _numbers({"retry_delay": step.retry_delay}, least=0, most=MAX_SECONDS)
    yield from _numbers({"retry_backoff": step.retry_backoff}, least=1, most=1_000)
    yield from _numbers({"cpus": step.cpus}, least=1)
    yield from _numbers({"timeout": step.timeout, "cell_timeout": step.cell_timeout}, above=0, most=MAX_SECONDS)
    yield from _numbers({"memory": step.memory}, above=0, most=2**53)
    if step.gpus is not None and step.gpus > 1:
        yield ("gpus",), Message("A run has one CUDA device at most; gpus is 0 or 1.")
    if step.sweep is None:
        return
    for path, sentence in _numbers({"slots": step.sweep.slots}, least=1):
        yield ("sweep", *path), sentence
    sampler = step.sweep.sampler
    if sampler.kind == "random" and (sampler.count is None or sampler.count < 1):
        yield ("sweep", "sampler", "count"), Message("Say how many combinations to draw.")
    if not step.sweep.objective.metric.strip():
        yield ("sweep", "objective", "metric"), Message("Say by which metric the best run is known.")
    for name in step.sweep.space:
        if name in step.parameters:
            yield ("sweep", "space", name), Message("“{name}” is set in “parameters”, too; say it once.", name=name)


def _numbers(
    values: Mapping[str, float | None],
    *,
    least: float | None = None,
    above: float | None = None,
    most: float = MAX_INTEGER,
) -> Found:
    for name, value in values.items():
        if value is None:
            continue
        if not value <= most:
            yield (
                (name,),
                Message("{name} cannot be more than {most:,}; {value:g} is.", name=name, most=most, value=value),
            )
        if least is not None and not value >= least:
            yield (
                (name,),
                Message("{name} cannot be less than {least:g}; {value:g} is.", name=name, least=least, value=value),
            )
        if above is not None and not value > above:
            yield (
                (name,),
                Message("{name} must be more than {above:g}; {value:g} is not.", name=name, above=above, value=value),
            )


def _outputs_and_files(step: Step) -> Found:
    for position, name in enumerate(step.outputs):
        if not NAME.fullmatch(name):
            yield (
                ("outputs", position),
                Message("“{name}” cannot name an output: letters, digits and _ can.", name=name),
            )
    yield from _duplicates(("outputs",), step.outputs)
    outputs = set(step.outputs)
    for name, file in step.files.items():
        path = PurePosixPath(file)
        if not NAME.fullmatch(name):
            yield (
                ("files", name),
                Message("“{name}” cannot name a file that is handed on: letters, digits and _ can.", name=name),
            )
        elif name in outputs:
            yield ("files", name), Message("“{name}” is an output already; give the file another name.", name=name)
        if not file.strip() or path.is_absolute() or _leaves_folder(path):
            yield (
                ("files", name),
                Message("“{file}” must be a path inside the run's own folder, MLOPS_RUN_DIR.", file=file),
            )


def _environment(step: Step) -> Found:
    for name, value in step.parameters.items():
        yield from _plain_secret(("parameters", name), name, value, "put it under “secrets”")
    for field, names in (("env", list(step.env)), ("secrets", list(step.secrets))):
        for name in names:
            if not name or "=" in name or "\0" in name:
                yield (field, name), Message("“{name}” cannot name a variable of the environment.", name=name)
    for name, text in step.env.items():
        yield from _plain_secret(("env", name), name, text, "put it under “secrets”")
    for name, secret in step.secrets.items():
        yield from _secret(("secrets", name), secret)
        if name in step.env:
            yield ("secrets", name), Message("“{name}” is set in “env”, too; say it once.", name=name)


def _duplicates(path: Path, names: Sequence[str]) -> Found:
    seen: set[str] = set()
    for position, name in enumerate(names):
        if name in seen:
            yield (*path, position), Message("“{name}” is there twice.", name=name)
        seen.add(name)


def _secret(path: Path, secret: SecretRef) -> Found:
    given = [name for name in ("env", "keyring", "file") if getattr(secret, name)]
    if len(given) != 1:
        said = " and ".join(given) or "none"
        yield (
            path,
            Message(
                "Say where the secret is found by exactly one of env, keyring and file; this has {said}.", said=said
            ),
        )
    if secret.keyring and not all(secret.keyring.partition("/")):
        yield (
            (*path, "keyring"),
            Message("“{keyring}” is no place in a keyring; write service/user.", keyring=secret.keyring),
        )


def _plain_secret(path: Path, name: str, value: Any, instead_of: str) -> Found:
    if value is not None and not isinstance(value, int | float) and looks_secret(name, value):
        yield (
            path,
            Message(
                "“{name}” looks like a secret, and this file is read by many; {instead_of}.",
                name=name,
                instead_of=instead_of,
            ),
        )


def _references(
    step: str,
    path: Path,
    text: str,
    definition: PipelineDefinition,
    outputs_of: _OutputsOf,
    *,
    unclear: Collection[str],
) -> Found:
    try:
        references = find_references(text)
    except InvalidInputError as error:
        yield path, error.message
        return
    for reference in (one for one in references if one.step not in unclear):
        sentence = _unknown_reference(step, reference, f"“{reference}”", definition)
        if sentence:
            yield path, sentence
            continue
        source, name = reference
        if source and name not in outputs_of(source):
            near = suggestion(name, outputs_of(source))
            yield (
                path,
                Message(
                    "Step “{step}” refers to “{reference}”, but “{source}” hands on no “{name}”{near} What "
                    "is handed on is named in the outputs or files of “{source}”.",
                    step=step,
                    reference=reference,
                    source=source,
                    name=name,
                    near=near,
                ),
            )


def _condition(step: str, text: str, definition: PipelineDefinition, unclear: Collection[str]) -> Found:
    try:
        references = Condition(text).references
    except InvalidInputError as error:
        yield ("when",), error.message
        return
    # an output may be any metric, which is known only at run time
    for reference in (one for one in references if one.step not in unclear):
        sentence = _unknown_reference(step, reference, f"“{reference.bare}” in its condition", definition)
        if sentence:
            yield ("when",), sentence


def _unknown_reference(step: str, reference: Reference, shown: str, definition: PipelineDefinition) -> Message:
    source, name = reference
    if source:
        if source in definition.steps:
            return Message()
        return Message(
            "Step “{step}” refers to {shown}, but there is no step “{source}”{step_suggestion}",
            step=step,
            shown=shown,
            source=source,
            step_suggestion=_step_suggestion(source, definition),
        )
    if name in definition.parameters or name == SCHEDULED_TIME:
        return Message()
    if name in definition.steps:
        return Message(
            "Step “{step}” refers to {shown}, which is a step; say which output, such as {name}.NAME.",
            step=step,
            shown=shown,
            name=name,
        )
    near = suggestion(name, [*definition.parameters, SCHEDULED_TIME])
    return Message(
        "Step “{step}” refers to {shown}, but the pipeline has no parameter “{name}”{near}",
        step=step,
        shown=shown,
        name=name,
        near=near,
    )


def _step_suggestion(name: str, definition: PipelineDefinition) -> Message:
    if "-" in name and name.rsplit("-", 1)[-1] in definition.steps:
        return Message("; a minus has spaces round it.")
    return suggestion(name, definition.steps)


def declared_outputs(step: Step) -> list[str]:
    """Names of a step's outputs as far as they are known before it runs."""
    found = [*step.outputs, *step.files]
    if step.sweep is not None:
        found += [*step.sweep.space, step.sweep.objective.metric]
    return list(dict.fromkeys(found))
