"""Many files of one order at once: they wait for a person, as one batch, where together they cost more than may go unasked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qavix_watch.core.money import MASS_FILES, MASS_SECONDS, crowd, is_mass, mass_limit, mass_said
from qavix_watch.stages.account import known_balance

if TYPE_CHECKING:
    from qavix_watch.core.money import Batch, Filed
    from qavix_watch.core.records import Drop, Job
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports.state import Tx


def mass_hold(tx: Tx, rules: Rules, job: Job, now: float, *, last: bool) -> tuple[int, str] | None:
    """The batch that a job is to wait in, and the sentence; every other job of its order waits with it. None where it may go on.

    Files count from the moment they are noticed, so that the first that is read does not slip through while the others arrive.
    `last`: nothing is asked after this, so that a mass of unknown price waits.
    """
    drops = [drop for drop in tx.drops.wanting(job.id) if not drop.held]
    if job.approved or job.posted or rules.budget.approve_mass == 0 or not drops or any(tx.money.said_yes(drop.id) for drop in drops):
        return None
    batch = _batch(tx, rules, drops[0], now, last=last)
    if batch is None:
        return None
    why = mass_said(_files(tx, batch), batch.id)
    tx.money.hold_batch(batch, now, why, but=job.id)
    return batch.id, why


def came_with_many(tx: Tx, job: Job) -> bool:
    """Whether more files may have come with it than go without a question."""
    drops = tx.drops.wanting(job.id)[:1]
    return any(tx.money.at_most(drop, *_around(drop))[0] > MASS_FILES for drop in drops)


def _around(drop: Drop) -> tuple[float, float]:
    return drop.created_at - MASS_SECONDS, drop.created_at + MASS_SECONDS


def _harmless(tx: Tx, rules: Rules, drop: Drop) -> bool:
    """Whether it can be no mass, whatever each file costs: thousands of files are not looked at for each of them."""
    files, price = tx.money.at_most(drop, *_around(drop))
    limit = mass_limit(rules.budget, known_balance(tx))
    return files <= MASS_FILES or (price is not None and limit is not None and price <= limit)


def _batch(tx: Tx, rules: Rules, drop: Drop, now: float, *, last: bool) -> Batch | None:
    """The mass that waits already and that this file joins, or a new one."""
    waiting = tx.money.waiting_batch(drop.place, drop.canonical, drop.created_at)
    if waiting is not None:
        tx.money.stretch(waiting, drop.created_at)
        return tx.money.waiting_batch(drop.place, drop.canonical, drop.created_at)
    if _harmless(tx, rules, drop):
        return None
    inside = crowd(tx.money.files(drop.place, drop.canonical, *_around(drop)), drop.created_at)
    found = is_mass(inside, rules.budget, known_balance(tx))
    if not found and (found is False or not last):
        return None
    return tx.money.open_batch(drop.place, drop.canonical, inside[0].at, inside[-1].at, now)


def _files(tx: Tx, batch: Batch) -> list[Filed]:
    return tx.money.files(batch.place, batch.canonical, batch.begun, batch.latest)


def look_again(tx: Tx, rules: Rules, now: float) -> set[int]:
    """Let masses go that are none any more, because files were taken out or a limit was raised. Gives those that still wait."""
    still = set()
    for batch in tx.money.waiting_batches():
        files = _files(tx, batch)
        if not any(file.waits for file in files):
            tx.money.end_batch(batch.id, now, "gone", "its files were taken out")
        elif is_mass(crowd(files), rules.budget, known_balance(tx)) is False:
            tx.money.end_batch(batch.id, now, "released", "it is below the limit")
        else:
            still.add(batch.id)
    return still
