"""A duty of its own: what the account allows, learnt at a start and looked at again now and then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qavix_watch.core.outcomes import Later, Outcome

if TYPE_CHECKING:
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Hand, Ports

EVERY_SECONDS = 3600.0


async def account(ports: Ports, rules: Rules, hand: Hand) -> Outcome:
    """Ask for the balance: the client keeps under the limits that come with it, and a key that is not good shows before there is work."""
    await ports.api.get_balance()
    return Later(EVERY_SECONDS)
