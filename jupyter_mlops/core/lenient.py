"""Reading records that another version of this package wrote.

Requests are decoded strictly, so a misspelt field is refused. Stored records are decoded leniently, so that processes
of two versions can share a store: unknown fields are written back unchanged, and a record with an unknown value is
shown but never acted on.
"""

from __future__ import annotations

import functools
from typing import Annotated, Any, TypeVar, get_args, get_origin

import msgspec

from .errors import ConflictError
from .messages import Message, from_json, to_store
from .record import Record
from .states import StoredState

R = TypeVar("R", bound=Record)


def decode(raw: Any, kind: type[R]) -> R:
    """A record from its stored JSON value.

    Raises:
        msgspec.ValidationError, TypeError: no version writes such a record.
    """
    try:
        # the common and fast case
        return msgspec.convert(raw, kind, dec_hook=from_json)
    except msgspec.ValidationError:
        if not isinstance(raw, dict):
            raise
        return _decode_foreign(raw, kind)


def encode(record: Record) -> dict[str, Any]:
    """The JSON value to store, with the unknown fields and values that :func:`decode` found."""
    built: dict[str, Any] = msgspec.to_builtins(record, enc_hook=to_store)
    if hasattr(record, "unknown") or any(hasattr(getattr(record, name), "unknown") for name in _nested(type(record))):
        _put_back(record, built)
    return built


def without_unknown(record: R) -> R | None:
    """A record without unknown fields, fit to be sent back as a request; None if it has unknown values."""
    if not is_supported(record):
        return None
    kind, built = type(record), msgspec.to_builtins(record, enc_hook=to_store)
    _put_back(record, built, unknown=False)
    made: R = msgspec.convert(built, kind.__base__ if hasattr(record, "unknown") else kind, dec_hook=from_json)
    return made


def with_unknown_of(record: R, kept: R) -> R:
    """A record with the unknown fields of the one it replaces."""
    if not hasattr(kept, "unknown"):
        return record
    return type(kept)(**msgspec.structs.asdict(record), unknown=kept.unknown, unreadable=[])


def is_supported(record: Record) -> bool:
    """Whether this version knows every value of a record; it only shows others."""
    state = getattr(record, "state", None)
    return not getattr(record, "unreadable", None) and (not isinstance(state, StoredState) or state.is_known)


def check_supported(what: str, record: Record) -> None:
    """Refuse to act on a record that is not supported.

    Raises:
        ConflictError: it is not.
    """
    if not is_supported(record):
        raise ConflictError(
            Message("Only the newer version of jupyter-mlops that wrote this {what} can go on with it.", what=what)
        )


def _decode_foreign(raw: dict[str, Any], kind: type[R]) -> R:
    types = _types(kind)
    known = {name: value for name, value in raw.items() if name in types}
    unknown = {name: value for name, value in raw.items() if name not in types}
    unreadable: list[str] = []
    try:
        values = msgspec.structs.asdict(msgspec.convert(known, kind, dec_hook=from_json))
    except msgspec.ValidationError:
        values = {}
        for name, value in known.items():
            values[name], is_read = _value(value, types[name])
            unreadable += [name] * (not is_read)
    made: R = _foreign(kind)(**values, unknown=unknown, unreadable=unreadable)
    return made


def _value(value: Any, kind: Any) -> tuple[Any, bool]:
    """A field's value decoded as far as possible, and whether all of it was."""
    try:
        return msgspec.convert(value, kind, dec_hook=from_json), True
    except msgspec.ValidationError:
        pass
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _value(value, arguments[0])
    if isinstance(value, dict) and isinstance(kind, type) and issubclass(kind, Record):
        record = _decode_foreign(value, kind)
        return record, not record.unreadable  # type: ignore[attr-defined]
    if origin is list and isinstance(value, list):
        items = [_value(item, arguments[0]) for item in value]
        return [item for item, _ in items], all(is_read for _, is_read in items)
    if origin is dict and isinstance(value, dict):
        pairs = {name: _value(item, arguments[1]) for name, item in value.items()}
        return {name: item for name, (item, _) in pairs.items()}, all(is_read for _, is_read in pairs.values())
    for argument in arguments if isinstance(value, dict) else ():
        if isinstance(argument, type) and issubclass(argument, Record):
            return _value(value, argument)
    return value, False


def _put_back(record: Any, built: Any, *, unknown: bool = True) -> None:
    """Restore a record's unknown fields in its built JSON value, or drop them."""
    if isinstance(record, list):
        for item, part in zip(record, built, strict=True):
            _put_back(item, part, unknown=unknown)
    elif isinstance(record, dict):
        for name, item in record.items():
            _put_back(item, built[name], unknown=unknown)
    elif isinstance(record, Record):
        for name in _types(type(record)):
            _put_back(getattr(record, name), built[name], unknown=unknown)
        if hasattr(record, "unknown"):
            for name in ("unknown", "unreadable"):
                del built[name]
            built |= record.unknown if unknown else {}


@functools.cache
def _types(kind: type[Record]) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(kind)}


@functools.cache
def _nested(kind: type[Record]) -> list[str]:
    """Names of the fields that may hold records."""
    return [
        name
        for name, field in _types(kind).items()
        if any(isinstance(one, type) and issubclass(one, Record) for one in (field, *get_args(field)))
    ]


@functools.cache
def _foreign(kind: type[Record]) -> Any:
    """A subclass of a record for what this version does not know.

    Attributes:
        unknown: unknown fields by name; unreadable: known fields with unknown values.
    """
    fields: list[tuple[str, type, Any]] = [("unknown", dict[str, Any], {}), ("unreadable", list[str], [])]
    # unpickling in another process must create the class there
    taken_apart = {"__reduce__": lambda self: (decode, (encode(self), kind))}
    return msgspec.defstruct(
        kind.__name__, fields, bases=(kind,), module=kind.__module__, namespace=taken_apart, frozen=True, kw_only=True
    )
