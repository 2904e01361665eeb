"""Messages for users, with the template and values that they are made of, so that they can be translated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Message(str):
    """A sentence for users, in English. The program never bases decisions on it.

    Args:
        template: English, as for gettext, with placeholders such as ``{name}`` or ``{count:,}``; literal braces are
            doubled.
        values: numbers, texts and other messages by placeholder; other values are converted to text.
    """

    __slots__ = ("template", "values")

    template: str
    values: dict[str, Any]

    def __new__(cls, template: str = "", /, **values: Any) -> Message:  # noqa: D102
        kept = {
            name: value if isinstance(value, str | int | float | None) else str(value) for name, value in values.items()
        }
        return _made(template.format_map(kept), template, kept)

    @classmethod
    def verbatim(cls, text: str) -> Message:
        """A text without translation, written by a library or an older version."""
        return text if isinstance(text, cls) else _made(text, text.replace("{", "{{").replace("}", "}}"), {})

    @classmethod
    def together(cls, messages: Iterable[Message], between: str = " ") -> Message:
        """Whole sentences, one after the other."""
        parts = [message for message in messages if message]
        if len(parts) == 1:
            return parts[0]
        named = {f"part{number}": message for number, message in enumerate(parts)}
        return cls(between.join(f"{{{name}}}" for name in named), **named)

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (str(self), self.template, self.values)


def to_wire(value: Any) -> dict[str, Any]:
    """How msgspec encodes a message for clients, which translate it."""
    if not isinstance(value, Message):
        raise NotImplementedError(f"{type(value).__name__} is no message")
    return {"text": str(value), "template": value.template, "values": value.values}


def to_store(value: Any) -> Any:
    """How msgspec encodes a message in the store: as its text where it has no values."""
    return to_wire(value) if not isinstance(value, Message) or value.values else str(value)


def from_json(kind: type, value: Any) -> Message:
    """How msgspec decodes a message; earlier versions kept its text alone."""
    if isinstance(value, str):
        return Message.verbatim(value)
    try:
        values = {name: from_json(kind, one) if isinstance(one, dict) else one for name, one in value["values"].items()}
        return _made(value["text"], value["template"], values)
    except (TypeError, KeyError, AttributeError):
        raise ValueError("Expected a message") from None


def _made(text: str, template: str, values: dict[str, Any]) -> Message:
    message = str.__new__(Message, text)
    message.template, message.values = template, values
    return message
