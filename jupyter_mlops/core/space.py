"""What to try: the text grammar of one field, and the space that the fields make together.

::

    0.1, 1, 10        a list
    3:8               whole numbers, both ends
    0.1:0.5:5         five points, linear          (a:b:n)
    log:0.01:0.3:5    five points, logarithmic     (log:a:b:n)
    0:1:step=0.25     a, a+s, … up to b
    ["a, b", "c"]     JSON: a list to try; any JSON value is one value of a list or mapping parameter

The same grammar is used in the panel, on the command line, in the API and in a notebook's metadata.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from dataclasses import dataclass, field
from typing import Any

from .errors import InvalidInputError
from .parameters import check_value, looks_secret
from .records import FieldCheck, Parameter, Sampler, SpaceCheck

MAX_VALUES = 1_000_000
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(
    rf"^\s*(?P<log>log\s*:)?\s*(?P<a>{_NUMBER})\s*:\s*(?P<b>{_NUMBER})"
    rf"(?:\s*:\s*(?:step\s*=\s*(?P<step>{_NUMBER})|(?P<n>\d+)))?\s*$"
)


@dataclass(frozen=True)
class Space:
    """The combinations that some fields make; the last name varies fastest."""

    values: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """All names given, in their order."""
        return list(self.values)

    @property
    def varied(self) -> list[str]:
        """Names with more than one value."""
        return [name for name, values in self.values.items() if len(values) > 1]

    @property
    def combinations(self) -> int:
        """How many combinations there are; 1 for a space of no names."""
        return math.prod(len(values) for values in self.values.values())

    def point(self, index: int) -> dict[str, Any]:
        """The combination at ``index``, from 0."""
        if not 0 <= index < self.combinations:
            raise IndexError(index)
        chosen: dict[str, Any] = {}
        for name in reversed(self.values):
            index, position = divmod(index, len(self.values[name]))
            chosen[name] = self.values[name][position]
        return {name: chosen[name] for name in self.values}


def parse_field(text: str, parameter: Parameter | None) -> list[Any]:
    """The values that a field stands for, in order, without doubles.

    Args:
        text: in the grammar above.
        parameter: gives the type; None types values from their text.

    Raises:
        InvalidInputError: with one sentence on what is wrong.
    """
    wanted = parameter or Parameter(name="value")
    text = text.strip()
    if not text:
        raise InvalidInputError("Give a value, or clear the field to keep the default.")
    ranged = _RANGE.match(text) if wanted.type in ("int", "float", "any") else None
    if ranged:
        values = _range(ranged, wanted)
    elif text.startswith("log:") and wanted.type in ("int", "float"):
        raise InvalidInputError("Write a logarithmic range as log:from:to:count, such as log:0.01:1:5.")
    elif text.startswith(("[", "{", '"')):
        values = _json(text, wanted)
    else:
        values = [_word(part.strip(), wanted) for part in text.split(",") if part.strip()]
    checked = [check_value(wanted, value) for value in values]
    unique = _unique(checked)
    if not unique:
        raise InvalidInputError("Give at least one value.")
    return unique


def _range(matched: re.Match[str], parameter: Parameter) -> list[Any]:
    first, last = float(matched["a"]), float(matched["b"])
    written_whole = not any(re.search(r"[.eE]", matched[end]) for end in "ab")
    whole = parameter.type == "int" or (
        parameter.type == "any"
        and written_whole
        and not matched["log"]
        and not matched["n"]
        and not _real(matched["step"])
    )
    if matched["log"]:
        points = _log_points(first, last, matched["n"])
    elif matched["step"]:
        points = _step_points(first, last, float(matched["step"]))
    elif matched["n"]:
        points = _linear_points(first, last, int(matched["n"]))
    elif whole and written_whole:
        if abs(last - first) >= MAX_VALUES:
            raise InvalidInputError(
                f"{matched[0].strip()} has {abs(last - first) + 1:,.0f} values; narrow it, or give a count."
            )
        step = 1 if last >= first else -1
        return list(range(int(first), int(last) + step, step))
    else:
        raise InvalidInputError(
            f"Say how many: {matched[0].strip()}:5 takes five points, {matched[0].strip()}:step=0.1 takes steps."
        )
    return [round(point) for point in points] if whole else [_neat(point) for point in points]


def _real(text: str | None) -> bool:
    return bool(text and re.search(r"[.eE]", text))


def _log_points(first: float, last: float, count: str | None) -> list[float]:
    if count is None:
        raise InvalidInputError("Say how many points: log:from:to:count, such as log:0.01:1:5.")
    if first <= 0 or last <= 0:
        raise InvalidInputError("Both ends of a logarithmic range must be above 0.")
    return [math.exp(point) for point in _linear_points(math.log(first), math.log(last), int(count))]


def _linear_points(first: float, last: float, count: int) -> list[float]:
    if count < 1:
        raise InvalidInputError("The count must be 1 or more.")
    if count > MAX_VALUES:
        raise InvalidInputError(f"{count:,} values are too many for one parameter; give a smaller count.")
    if count == 1:
        return [first]
    return [first + (last - first) * i / (count - 1) for i in range(count)]


def _step_points(first: float, last: float, step: float) -> list[float]:
    if step == 0 or (last - first) * step < 0:
        raise InvalidInputError("The step must lead from the first value to the last.")
    count = math.floor((last - first) / step + 1e-9) + 1
    if count > MAX_VALUES:
        raise InvalidInputError(f"{count:,} values are too many for one parameter; take a larger step.")
    return [first + step * i for i in range(count)]


def _neat(value: float) -> float:
    # 0.30000000000000004 is noise of the arithmetic, not what anybody asked for
    return float(f"{value:.12g}")


def _json(text: str, parameter: Parameter) -> list[Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInputError(f"This is not valid JSON ({error.msg} at character {error.pos + 1}).") from None
    if not isinstance(value, list):
        return [value]
    if parameter.type == "list" and not all(isinstance(item, list) for item in value):
        return [value]
    return value


def _word(text: str, parameter: Parameter) -> Any:
    if text in ("None", "null") and (parameter.optional or parameter.type in ("none", "any")):
        return None
    match parameter.type:
        case "str":
            return text
        case "bool":
            words = {"true": True, "True": True, "1": True, "false": False, "False": False, "0": False}
            return words.get(text, text)
        case "int" | "float":
            return _number(text)
        case "choice":
            return next((choice for choice in parameter.choices or [] if str(choice) == text), text)
        case _:
            if text in ("true", "True", "false", "False"):
                return text in ("true", "True")
            return _number(text)


def _number(text: str) -> Any:
    if re.fullmatch(r"[-+]?\d+", text):
        return int(text)
    if re.fullmatch(_NUMBER, text):
        return float(text)
    return text


def _unique(values: list[Any]) -> list[Any]:
    seen: set[str] = set()
    kept = []
    for value in values:
        key = json.dumps(value, sort_keys=True)
        if key not in seen:
            seen.add(key)
            kept.append(value)
    return kept


def _parse_all(
    space: dict[str, str], parameters: list[Parameter], open_names: bool
) -> tuple[dict[str, list[Any]], dict[str, FieldCheck]]:
    known = {parameter.name: parameter for parameter in parameters}
    values: dict[str, list[Any]] = {}
    fields: dict[str, FieldCheck] = {}
    for name, text in space.items():
        try:
            if name not in known and not open_names:
                raise InvalidInputError(_unknown(name, list(known)))
            values[name] = parse_field(text, known.get(name))
            for value in values[name]:
                if looks_secret(name, value):
                    raise InvalidInputError(
                        "This looks like a secret, and parameters are stored in the open; read it from the "
                        "environment inside the notebook."
                    )
            preview = ", ".join(_short(value) for value in values[name][:8])
            more = ", …" if len(values[name]) > 8 else ""
            fields[name] = FieldCheck(count=len(values[name]), preview=preview + more)
        except InvalidInputError as error:
            values.pop(name, None)
            fields[name] = FieldCheck(error=error.message)
    return values, fields


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    if near:
        return f"The notebook has no parameter “{name}”; did you mean “{near[0]}”?"
    return f"The notebook has no parameter “{name}”; it has {', '.join(known) or 'none'}."


def check_space(
    space: dict[str, str],
    parameters: list[Parameter],
    sampler: Sampler,
    *,
    open_names: bool,
    max_runs: int,
) -> SpaceCheck:
    """Count the runs of a space and say what is wrong with it; nothing is raised.

    Args:
        space: field text by parameter name.
        parameters: that the notebook declares.
        sampler: how combinations are chosen.
        open_names: accept names that are not declared.
        max_runs: more runs than this are an error.
    """
    values, fields = _parse_all(space, parameters, open_names)
    return _checked(values, fields, sampler, max_runs)


def _checked(
    values: dict[str, list[Any]], fields: dict[str, FieldCheck], sampler: Sampler, max_runs: int
) -> SpaceCheck:
    combinations = Space(values).combinations
    wrong = [name for name, check in fields.items() if check.error]
    if wrong:
        return SpaceCheck(total=0, combinations=0, fields=fields, error=f"Mend {', '.join(wrong)} first.")
    total, error = combinations, ""
    if sampler.kind == "random":
        if sampler.count is None or sampler.count < 1:
            total, error = 0, "Say how many combinations to draw."
        else:
            total = min(sampler.count, combinations)
    if total > max_runs:
        error = f"This makes {total:,} runs, more than the {max_runs:,} allowed; narrow it, or draw a random sample."
    return SpaceCheck(total=total, combinations=combinations, fields=fields, error=error)


def build_space(
    space: dict[str, str],
    parameters: list[Parameter],
    sampler: Sampler,
    *,
    open_names: bool,
    max_runs: int,
) -> Space:
    """The space that fields describe; arguments as for :func:`check_space`.

    Raises:
        InvalidInputError: anything is wrong; ``fields`` holds the sentences by parameter.
    """
    values, fields = _parse_all(space, parameters, open_names)
    check = _checked(values, fields, sampler, max_runs)
    if check.error:
        sentences = {name: entry.error for name, entry in fields.items() if entry.error}
        if sentences:
            raise InvalidInputError(" ".join(sentences.values()), sentences)
        raise InvalidInputError(check.error)
    return Space(values)
