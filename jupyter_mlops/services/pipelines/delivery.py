"""Sends alerts. Addresses may be secret, so they are never shown."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ...core.errors import MlopsError
from ...core.messages import Message
from ...core.pipelines.definition import Alerts
from ...core.pipelines.references import Path
from ...core.runs import SecretRef
from ...secret_values import find_secret
from ..timeouts import call_with_timeout
from .alert_texts import Alert

if TYPE_CHECKING:
    import apprise

log = logging.getLogger(__name__)
SECONDS = 60.0


async def deliver(alert: Alert, to: Sequence[tuple[int, str | SecretRef]]) -> dict[int, str]:
    """Send one alert to numbered addresses.

    Returns:
        by number, why an address could not be reached.
    """
    sent = [(number, asyncio.create_task(_deliver(number, alert, address))) for number, address in to]
    return {number: why for number, task in sent if (why := await task)}


async def _deliver(number: int, alert: Alert, address: str | SecretRef) -> str:
    try:
        return await call_with_timeout(SECONDS, _send, number, alert, address)
    except TimeoutError:
        return f"it did not answer within {SECONDS:g} s."


def wrong_addresses(alerts: Alerts) -> Iterator[tuple[Path, Message]]:
    """Addresses that no alert can be sent to, each with its place in the pipeline; nothing is connected to."""
    for position, address in enumerate(alerts.to):
        # an empty one is a fault of the definition, a secret's value is known where the service runs
        if isinstance(address, str) and address.strip() and _parsed(address) is None:
            yield (
                ("alerts", "to", position),
                Message(
                    "This is no address that apprise knows; write one such as mailtos://user:password@example.org."
                ),
            )


def _parsed(address: str) -> apprise.Apprise | None:
    import apprise

    # apprise would log addresses
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    parsed = apprise.Apprise()
    return parsed if parsed.add(address) else None


def _send(number: int, alert: Alert, address: str | SecretRef) -> str:
    try:
        url = find_secret(f"address {number + 1}", address, "service") if isinstance(address, SecretRef) else address
    except MlopsError as error:
        return str(error)
    one = _parsed(url)
    if one is None:
        return "it is no address that apprise knows."
    kind = url.partition("://")[0]
    try:
        told = bool(one.notify(title=alert.title, body=alert.body, notify_type=alert.tone, body_format="text"))
    except Exception as error:  # each of apprise's plugins raises its own errors
        log.warning("An alert could not be sent to a %s address: %s", kind, type(error).__name__)
        return f"sending to {kind}:// failed ({type(error).__name__})."
    return "" if told else f"{kind}:// did not take it."
