"""What to try: the text grammar of one field, and the space that the fields make together.

::

    0.1, 1, 10        a list
    3:8               whole numbers, both ends
    0.1:0.5:5         five points, linear          (a:b:n)
    log:0.01:0.3:5    five points, logarithmic     (log:a:b:n)
    0:1:step=0.25     a, a+s, … up to b
    ["a, b", "c"]     JSON: a list to try

Text that starts with ``[``, ``{`` or ``"`` is JSON, so strings with a comma must be quoted. A mapping is one value.
For a list parameter, a list is one value, and a list of lists several. Colons in text are kept. ``None`` is a value if
the parameter accepts it.

The same grammar is used in the panel, on the command line, in the API and in a notebook's metadata.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import Any

from ..errors import InvalidInputError
from ..messages import Message
from ..parameters import NotebookInfo, Parameter
from ..sweeps import FieldCheck, Sampler, SpaceCheck
from ..values import MAX_DEPTH, check_value, looks_secret, nests_too_deep, unknown_name
from .ranges import RANGE, number, values_of_range

# JavaScript's integers are exact up to about 9 * 10**15
MAX_COUNT = 10**15
MAX_TEXT = 500_000  # characters of all fields, parsed in a second or two


@dataclass(frozen=True)
class Space:
    """The Cartesian product of the values; the last name varies fastest."""

    values: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """All names in order."""
        return list(self.values)

    @property
    def varied(self) -> list[str]:
        """Names with more than one value."""
        return [name for name, values in self.values.items() if len(values) > 1]

    @property
    def combinations(self) -> int:
        """Number of combinations; 1 for an empty space."""
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
    """The values of a field in order, without duplicates.

    Args:
        text: in the grammar above.
        parameter: gives the type; None infers it from the text.

    Raises:
        InvalidInputError: the text is invalid.
    """
    wanted = parameter or Parameter(name="value")
    text = text.strip()
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidInputError(Message("This text is not valid Unicode."))
    if not text:
        raise InvalidInputError(Message("Give a value, or clear the field to keep the default."))
    ranged = RANGE.match(text) if wanted.type in ("int", "float", "any") else None
    if ranged:
        return values_of_range(ranged, wanted.type)
    if re.match(r"log\s*:", text) and wanted.type in ("int", "float"):
        raise InvalidInputError(Message("Write a logarithmic range as log:from:to:count, such as log:0.01:1:5."))
    if wanted.type == "choice" and text in map(str, wanted.choices or []):
        values = [_word(text, wanted)]
    elif text.startswith(("[", "{", '"')):
        values = _json(text, wanted)
    else:
        values = [_word(part.strip(), wanted) for part in text.split(",") if part.strip()]
    unique = _unique([check_value(wanted, value) for value in values])
    if not unique:
        raise InvalidInputError(Message("Give at least one value."))
    return unique


def _json(text: str, parameter: Parameter) -> list[Any]:
    try:
        value = _load(text)
    except InvalidInputError:
        # accept "a, b", "c" as a list
        if not text.startswith('"'):
            raise
        value = _load(f"[{text}]")
    if not isinstance(value, list):
        return [value]
    if parameter.type == "list" and not (value and all(isinstance(item, list) for item in value)):
        return [value]
    return value


def _load(text: str) -> Any:
    if nests_too_deep(text.encode()):
        raise InvalidInputError(Message("This JSON is nested more than {max_depth} deep.", max_depth=MAX_DEPTH))
    try:
        value = json.loads(text)
        # reject lone surrogates and infinities, which cannot be stored or sent
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and text.startswith("[") and re.match(r",\s*\S", text[error.pos :]):
            lists = text if len(text) <= 100 else "[1, 2], [3]"
            raise InvalidInputError(
                Message("To try several lists, put brackets around them: [{lists}].", lists=lists)
            ) from None
        raise InvalidInputError(
            Message("This is not valid JSON ({msg} at character {pos}).", msg=error.msg, pos=error.pos + 1)
        ) from None
    except ValueError:
        raise InvalidInputError(Message("This JSON holds what cannot be stored: give plain, finite values.")) from None
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
            return number(text)
        case "choice":
            known = {str(choice): choice for choice in parameter.choices or []}
            return known[text] if text in known else number(text)
        case _:
            if text in ("true", "True", "false", "False"):
                return text in ("true", "True")
            return number(text)


def _unique(values: list[Any]) -> list[Any]:
    kept: dict[str, Any] = {}
    for value in values:
        # compare as JSON: True == 1, but they are two values to try
        kept.setdefault(json.dumps(value, sort_keys=True), value)
    return list(kept.values())


def _parse_all(space: dict[str, str], info: NotebookInfo) -> tuple[dict[str, list[Any]], dict[str, FieldCheck]]:
    if sum(map(len, space.values())) > MAX_TEXT:
        raise InvalidInputError(
            Message(
                "All fields together may have {max_text:,} characters; take ranges or fewer values.", max_text=MAX_TEXT
            )
        )
    known = {parameter.name: parameter for parameter in info.parameters}
    values: dict[str, list[Any]] = {}
    fields: dict[str, FieldCheck] = {}
    for name, text in space.items():
        try:
            if name not in known and not info.open_names:
                raise InvalidInputError(unknown_name("The notebook", name, known))
            values[name] = parse_field(text, known.get(name))
            if any(looks_secret(name, value) for value in values[name] if not isinstance(value, int | float)):
                raise InvalidInputError(
                    Message(
                        "This looks like a secret, and parameters are stored in the open; read it from the "
                        "environment inside the notebook."
                    )
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


def check_space(space: dict[str, str], info: NotebookInfo, sampler: Sampler, max_runs: int) -> SpaceCheck:
    """Count the runs of a space; errors are returned, not raised.

    Args:
        space: field text by parameter name.
        info: the notebook's parameters.
        sampler: how combinations are chosen.
        max_runs: limit on the number of runs.
    """
    values, fields = _parse_all(space, info)
    return _checked(values, fields, sampler, max_runs)


def _checked(
    values: dict[str, list[Any]], fields: dict[str, FieldCheck], sampler: Sampler, max_runs: int
) -> SpaceCheck:
    combinations = Space(values).combinations
    wrong = [name for name, check in fields.items() if check.error]
    if wrong:
        return SpaceCheck(
            total=0, combinations=0, fields=fields, error=Message("Mend {wrong} first.", wrong=", ".join(wrong))
        )
    total, error = combinations, Message()
    if sampler.kind != "grid":
        if sampler.count is None or sampler.count < 1:
            total, error = 0, Message("Say how many combinations to draw.")
        else:
            total = min(sampler.count, combinations) if sampler.kind == "random" else sampler.count
    if total > max_runs:
        template = (
            "This makes {total:,} runs, more than the {most:,} allowed; narrow it, or draw a random sample."
            if total <= MAX_COUNT
            else "This makes more than {total:,} runs, and {most:,} are allowed; narrow it, or draw a random sample."
        )
        error = Message(template, total=min(total, MAX_COUNT), most=max_runs)
    return SpaceCheck(
        total=min(total, MAX_COUNT), combinations=min(combinations, MAX_COUNT), fields=fields, error=error
    )


def build_space(space: dict[str, str], info: NotebookInfo, sampler: Sampler, max_runs: int) -> Space:
    """The space that fields describe; arguments as for :func:`check_space`.

    Raises:
        InvalidInputError: the space is invalid; ``fields`` has messages by parameter.
    """
    values, fields = _parse_all(space, info)
    check = _checked(values, fields, sampler, max_runs)
    if check.error:
        sentences = {name: entry.error for name, entry in fields.items() if entry.error}
        if sentences:
            raise InvalidInputError(Message.together(sentences.values()), sentences)
        raise InvalidInputError(check.error)
    return Space(values)
