"""Adding a step to a pipeline's text, leaving the rest as its author wrote it."""

from __future__ import annotations

import io
import re
from typing import Any

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

from ..errors import ConflictError, InvalidInputError
from ..messages import Message
from .definition import Step
from .references import STEP_NAME
from .yaml_reader import Document, plain, read

_WIDTH = 120
# strings that other YAML parsers read as other types: words, times, sexagesimal numbers, dates
_OTHERWISE = re.compile(
    r"y|n|yes|no|on|off|=|<<|[-+]?[0-9][0-9_,.]*(:[0-5]?[0-9])*(\.[0-9_]*)?|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*",
    re.IGNORECASE | re.DOTALL,
)
_SHORT = re.compile(r"[\w./+-][\w./*+-]*")
# control characters, line ends that only some parsers recognise, and the byte order mark, which some remove
_ODD = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")


def add_step(text: str, name: str, step: Step) -> str:
    """A pipeline's text with a step added after the last one; the rest stays as written.

    Raises:
        InvalidInputError: the text or the step's name is invalid.
        ConflictError: a step of this name exists.
    """
    if not STEP_NAME.fullmatch(name):
        raise InvalidInputError(
            Message(
                "“{name}” cannot name a step: letters, digits, _ and - can, beginning with a letter or _.", name=name
            ),
            {"name": Message("cannot name a step")},
        )
    before = read(text)
    steps = _steps(before)
    if name in steps:
        raise ConflictError(Message("There is a step “{name}” already.", name=name))
    wanted = {**(before.value or {}), "steps": {**steps, name: read(_yaml(_record(step))).value}}
    # YAML counts some control characters as line ends
    ways = (_rewritten,) if _ODD.search(text.replace("\r\n", "\n")) else (_inserted, _rewritten)
    for write in ways:
        changed = write(text, before, name, step)
        after = read(changed)
        if after.readable and _same(after.value, wanted):
            return changed
    raise InvalidInputError(Message("A step cannot be put into this text; write it there by hand."))


def _steps(document: Document) -> dict[str, Any]:
    if not document.readable:
        problem = document.problems[0]
        raise InvalidInputError(
            Message("Mend line {line} first: {message}", line=problem.line, message=problem.message)
        )
    if not isinstance(document.value, dict | None):
        raise InvalidInputError(Message("Mend the text first: a pipeline is a mapping with “steps”."))
    steps = (document.value or {}).get("steps") or {}
    if not isinstance(steps, dict):
        raise InvalidInputError(Message("Mend the text first: “steps” must be a mapping."))
    return steps


def _same(one: Any, other: Any) -> bool:
    return msgspec.json.encode(one) == msgspec.json.encode(other)


def _inserted(text: str, document: Document, name: str, step: Step) -> str:
    """The text with lines inserted, so that nothing else changes."""
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.split(end)
    while lines and not lines[-1].strip():
        lines.pop()
    written = _yaml({name: _record(step)}).rstrip("\n").split("\n")
    steps = (document.value or {}).get("steps")
    key = document.keys.get(("steps",))
    if key is None:
        return end.join([*lines, *([""] if lines else []), "steps:", *_indented(written, 2), ""])
    if not steps:
        # “steps:” or “steps: {}”, possibly with a comment
        lines[key[0] - 1] = re.sub(r":\s*(\{\s*\}|null|~)?\s*(#.*)?$", r": \2", lines[key[0] - 1]).rstrip()
        return end.join([*lines[: key[0]], *_indented(written, 2), *lines[key[0] :], ""])
    places = [document.keys["steps", other] for other in steps if ("steps", other) in document.keys]
    following = [place[0] for path, place in document.keys.items() if len(path) == 1 and place[0] > key[0]]
    stop = min(following, default=len(lines) + 1) - 1
    # blank lines and comments before the next key belong to that key
    while re.match(r"\s*$|#|---|\.\.\.", lines[stop - 1]):
        stop -= 1
    free = any(not line.strip() for line in lines[places[0][0] : places[-1][0]])
    new = _indented(written, places[-1][1] - 1)
    return end.join([*lines[:stop], *([""] if free else []), *new, *lines[stop:], ""])


def _indented(lines: list[str], columns: int) -> list[str]:
    return [" " * columns + line if line else line for line in lines]


def _rewritten(text: str, document: Document, name: str, step: Step) -> str:
    """The text written by the YAML library, for steps in braces, where no lines can be inserted."""
    yaml = _writer()
    yaml.preserve_quotes = True
    stream = io.StringIO()
    try:
        data = yaml.load(text)
        data["steps"][name] = _record(step)
        yaml.dump(data, stream)
    except (YAMLError, LookupError, TypeError):
        # the caller notices that the step is missing
        return text
    return stream.getvalue()


def _writer() -> YAML:
    yaml = YAML()
    yaml.width = _WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.allow_unicode = True
    return yaml


def _yaml(value: Any) -> str:
    stream = io.StringIO()
    _writer().dump(value, stream)
    return stream.getvalue()


def _record(record: msgspec.Struct) -> CommentedMap:
    """A record without fields that equal their default."""
    written = CommentedMap()
    for field in msgspec.structs.fields(type(record)):
        value = getattr(record, field.name)
        default = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
        if field.required or value != default:
            written[field.name] = _value(value)
    return written


def _value(value: Any) -> Any:
    match value:
        case msgspec.Struct():
            return _record(value)
        case dict():
            return CommentedMap({_key(str(key)): _value(item) for key, item in value.items()})
        case list():
            items = CommentedSeq([_value(item) for item in value])
            # items that need quotes in brackets are written on separate lines
            if all(_SHORT.fullmatch(str(item)) for item in items) and len(str(list(value))) < 90:
                items.fa.set_flow_style()
            return items
        case str():
            return _text(value)
        case _:
            return value


def _key(text: str) -> Any:
    return text if plain(text) and text != "<<" and not _ODD.search(text) else DoubleQuotedScalarString(text)


def _text(text: str) -> Any:
    if not plain(text) or _OTHERWISE.fullmatch(text) or _ODD.search(text):
        return DoubleQuotedScalarString(text)
    # blank lines, and lines that begin with a space, would need unusual block indicators
    if re.fullmatch(r"(\S.*\n)+\S.*", text):
        return LiteralScalarString(text)
    return text
