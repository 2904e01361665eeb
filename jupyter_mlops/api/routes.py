"""What a route is, for tornado and for OpenAPI."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from jupyter_server.auth.decorator import allow_unauthenticated, authorized
from tornado import web

if TYPE_CHECKING:
    from .boundary import Boundary

VERBS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Operation:
    """One verb of a route, as OpenAPI describes it."""

    summary: str
    answers: Any = None
    takes: Any = None
    status: int = 200
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()


def operation(
    action: Literal["read", "write", "anyone"], answers: Any = None, takes: Any = None, **described: Any
) -> Callable[[Callable[..., Any]], Any]:
    """Make a method one verb of a route; its docstring is the summary.

    Args:
        action: what the signed-in user must be allowed to do; ``anyone`` leaves the check to the method.
        answers: record of the response's body, ``dict`` for any JSON object, ``str`` for text, None for no body.
        takes: record of the request's body.
        described: further fields of :class:`Operation`.
    """

    def decorate(method: Callable[..., Any]) -> Any:
        if action == "anyone":
            guarded = allow_unauthenticated(method)
        else:
            guarded = web.authenticated(authorized(action, "mlops")(method))
        # without docstrings under python -OO
        summary = (method.__doc__ or "").rstrip(".")
        guarded.operation = Operation(summary, answers, takes, **described)
        return guarded

    return decorate


@dataclass(frozen=True)
class Route:
    """One path. ``{name}`` stands for a part of it."""

    path: str
    handler: type[Boundary]
    choices: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def operations(self) -> dict[str, Operation]:
        """What the handler does, by verb."""
        return {verb: method.operation for verb in VERBS if (method := vars(self.handler).get(verb))}

    @property
    def pattern(self) -> str:
        """The path as a regular expression for tornado."""
        parts = []
        for part in self.path.split("/"):
            name = part.strip("{}")
            if name in self.choices:
                parts.append(f"({'|'.join(self.choices[name])})")
            else:
                parts.append(r"([\w-]+)" if part.startswith("{") else part)
        return "/".join(parts)
