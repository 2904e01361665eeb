"""Values of a step's secrets, found on the machine that executes it."""

from __future__ import annotations

from collections.abc import Mapping

from ..core.errors import UnavailableError
from ..core.runs import SecretRef
from ..secret_values import find_secret
from .sentences import StepError


def find_secrets(references: Mapping[str, SecretRef]) -> dict[str, str]:
    """The values by name.

    Raises:
        StepError: one is not to be found; its sentence names the secret and the place, never a value.
    """
    try:
        return {name: find_secret(name, reference, "worker") for name, reference in references.items()}
    except UnavailableError as error:
        raise StepError("Secret", error.message) from error
