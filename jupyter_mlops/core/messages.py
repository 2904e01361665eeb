"""Messages: what a person reads, kept apart from what fills it, so that it can be shown in another language."""

from __future__ import annotations

from typing import Any


class Message:
    """A sentence for a person. The program never decides by it.

    Args:
        template: English, in gettext's manner, with placeholders like ``{name}`` or ``{count:,}``; braces are doubled.
        values: what fills the placeholders: numbers, texts, other messages. Anything else is kept as its text.
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
        """A text that has no translation: what a library or an older version wrote."""
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
