"""Resolves references to secrets, in the process that needs the values."""

from __future__ import annotations

import os
from pathlib import Path

from .core.errors import UnavailableError
from .core.messages import Message
from .core.runs import SecretRef


def find_secret(name: str, reference: SecretRef, asker: str) -> str:
    """A secret's value.

    Args:
        name: of the secret, for error messages.
        asker: role of this process, such as ``worker``.

    Raises:
        UnavailableError: it cannot be found; the message names the secret and its place, never a value.
    """
    given = [kind for kind in ("env", "keyring", "file") if getattr(reference, kind)]
    if len(given) != 1:
        raise _missing(name, "one of env, keyring and file must say where it is")
    if reference.env:
        place, value = f"the environment variable {reference.env} of the {asker}", os.environ.get(reference.env)
        if value is None:
            raise _missing(name, f"the {asker}'s environment has no variable {reference.env}")
    elif reference.keyring:
        place, value = f"the entry {reference.keyring} of the keyring", _from_keyring(name, reference.keyring)
    else:
        place, value = f"the file {reference.file}", _from_file(name, reference.file)
    if not value:
        raise _missing(name, f"{place} is empty")
    if "\0" in value:
        raise _missing(name, f"{place} holds a zero byte, which no environment variable can")
    return value


def _missing(name: str, why: str) -> UnavailableError:
    return UnavailableError(Message("The secret “{name}” could not be found: {why}.", name=name, why=why))


def _from_keyring(name: str, entry: str) -> str:
    service, _, user = entry.rpartition("/")
    if not service or not user:
        raise _missing(name, f"the keyring's entry must be SERVICE/USER, not {entry}")
    try:
        import keyring
    except ImportError:
        raise _missing(name, f"the package keyring is not installed here, to look for {entry}") from None
    try:
        value = keyring.get_password(service, user)
    except Exception as error:  # each keyring backend raises its own errors
        raise _missing(name, f"the keyring did not give {entry} ({type(error).__name__})") from error
    if value is None:
        raise _missing(name, f"the keyring of this account has no entry {entry}")
    return str(value)


def _from_file(name: str, place: str) -> str:
    path = Path(place).expanduser()
    if not path.is_absolute():
        raise _missing(name, f"the path of its file must be absolute or begin with ~, not {place}")
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        raise _missing(name, f"the file {place} is no text in UTF-8") from None
    except OSError as error:
        raise _missing(name, f"the file {place} cannot be read: {error.strerror}") from error
    return text.removesuffix("\n").removesuffix("\r")
