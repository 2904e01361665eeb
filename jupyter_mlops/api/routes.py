"""What a route is, for tornado and for OpenAPI."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .boundary import Boundary
    from .mlflow_proxy import MlflowProxyHandler


@dataclass(frozen=True)
class Operation:
    """One verb of a route, as OpenAPI describes it."""

    summary: str
    answers: Any = None
    takes: Any = None
    status: int = 200
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Route:
    """One path. ``{name}`` stands for a part of it."""

    path: str
    handler: type[Boundary] | type[MlflowProxyHandler]
    operations: dict[str, Operation] = field(default_factory=dict)
    choices: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def pattern(self) -> str:
        """As tornado has it."""
        parts = []
        for part in self.path.split("/"):
            name = part.strip("{}")
            if name in self.choices:
                parts.append(f"({'|'.join(self.choices[name])})")
            else:
                parts.append(r"([\w-]+)" if part.startswith("{") else part)
        return "/".join(parts)
