"""Messages for users, whose template and values are kept apart so that they can be translated."""

from __future__ import annotations

from typing import Any


class Message:
    """A sentence for users. The program never bases decisions on it.

    Args:
        template: English, as for gettext, with placeholders such as ``{name}`` or ``{count:,}``; literal braces are
            doubled.
        values: numbers, texts and other messages by placeholder; other values are converted to text.
    """

    __slots__ = ("template", "values")

    def __init__(self, template: str, /, **values: Any) -> None:
        self.template = template
        self.values: dict[str, Any] = {
            name: value if isinstance(value, str | int | float | Message | None) else str(value)
            for name, value in values.items()
        }

    @classmethod
    def verbatim(cls, text: str) -> Message:
        """A text without translation, written by a library or an older version."""
        return cls(text.replace("{", "{{").replace("}", "}}"))

    def __str__(self) -> str:
        return self.template.format_map(self.values)

    def __bool__(self) -> bool:
        return bool(self.template)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and (self.template, self.values) == (other.template, other.values)

    def __hash__(self) -> int:
        return hash(str(self))

    def __repr__(self) -> str:
        return f"Message({str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (self.template, self.values)


def _made(template: str, values: dict[str, Any]) -> Message:
    return Message(template, **values)
