"""What a minute of an order costs, asked of the service: quickly, or not at all."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qavix_watch.core.money import rate
from qavix_watch.errors import QavixWatchError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qavix_watch.config import Settings
    from qavix_watch.core.order import Order
    from qavix_watch.core.secret import Secret
    from qavix_watch.core.service import Price

PATIENCE_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Prices:
    """Credits a minute for each target (None: work without a language); or `note`, why they are not known."""

    per_minute: Mapping[str | None, float] = field(default_factory=dict)
    note: str = ""


def prices_of(order: Order, settings: Settings) -> Prices:
    """The prices of an order. Never fails, and takes a few seconds at the most."""
    from qavix_watch.config import read_key

    try:
        found = read_key(settings, os.environ)
        if found is None:
            return Prices(note="no API key")
        rows = asyncio.run(_pricing(settings, found[0]))
    except TimeoutError:
        return Prices(note="the service took too long to answer")
    except QavixWatchError as error:
        return Prices(note=str(error))
    return pick(order, rows)


async def _pricing(settings: Settings, key: Secret) -> Sequence[Price]:
    from qavix_watch.cli.asking import client_for

    client = client_for(settings, key, timeout=PATIENCE_SECONDS)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await client.pricing()
    finally:
        await client.close()


def pick(order: Order, rows: Sequence[Price]) -> Prices:
    """The rows of Pricing that an order's targets fall under: the exact language, else its bare one, else all languages."""
    asked = {target: rate(rows, order.task, target) for target in order.targets or (None,)}
    found = {target: price for target, price in asked.items() if price is not None}
    return Prices(found, "" if found else "the service names none for this kind of work")
