"""What the account is known for: balance and prices, learnt at a start, once an hour, and sooner where money hangs on them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from qavix_watch.core.money import estimate, rate, speech_seconds
from qavix_watch.core.outcomes import Later, Outcome
from qavix_watch.core.service import Price

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qavix_watch.core.records import Job
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports import Hand, Ports
    from qavix_watch.ports.state import Tx

EVERY_SECONDS = 3600.0


async def account(ports: Ports, rules: Rules, hand: Hand) -> Outcome:
    """Ask for balance and prices: the client keeps under the limits that come with them, and a bad key shows before there is work."""
    await learn_balance(ports)
    await learn_prices(ports)
    return Later(EVERY_SECONDS)


async def learn_balance(ports: Ports) -> float:
    """Ask for the balance, and remember it. Errors: as for Api."""
    balance = await ports.api.get_balance()
    now = ports.clock.now()
    await ports.store.transaction("the balance", lambda tx: tx.house.learn("balance", asdict(balance), now))
    return float(balance.credits_remaining)


async def learn_prices(ports: Ports) -> None:
    """Ask for the prices, remember them, and reckon anew what was not submitted yet. Errors: as for Api."""
    prices = await ports.api.pricing()
    now = ports.clock.now()

    def learn(tx: Tx) -> None:
        tx.house.learn("pricing", [asdict(price) for price in prices], now)
        for job in tx.money.unsubmitted():
            tx.money.priced(job.id, _price(tx, prices, job))

    await ports.store.transaction("the prices", learn)


def known_balance(tx: Tx) -> float | None:
    """The credits that remained when they were last asked for; None where they never were."""
    fact = tx.house.fact("balance")
    return None if fact is None else float(fact[0]["credits_remaining"])


def balance_is(tx: Tx, remaining: int | None, now: float) -> None:
    """An answer said what remains."""
    fact = tx.house.fact("balance")
    if remaining is not None:
        tx.house.learn("balance", {**({} if fact is None else fact[0]), "credits_remaining": remaining}, now)


def prices_known(tx: Tx) -> bool:
    """Whether Pricing was ever answered."""
    return tx.house.fact("pricing") is not None


def reckon(tx: Tx, number: int) -> float | None:
    """What a job should cost by the prices as they are known, None where they or its length are not; noted with it until its POST."""
    job: Job = tx.work.get("job", number)
    fact = tx.house.fact("pricing")
    price = None if fact is None else _price(tx, [Price(**row) for row in fact[0]], job)
    if not job.posted:
        tx.money.priced(number, price)
    return price


def _price(tx: Tx, prices: Sequence[Price], job: Job) -> float | None:
    return estimate(job.task, rate(prices, job.task, job.language), _seconds(tx, job))


def _seconds(tx: Tx, job: Job) -> float | None:
    """How long its media are: the main input's, or how long its text takes to speak."""
    if job.text is not None:
        return speech_seconds(job.text)
    content = tx.contents.find(job.main_sha256)
    return None if content is None else content.duration
