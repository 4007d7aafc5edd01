"""Before a POST that costs credits: what it should cost, whether limits and balance allow it, and setting it aside.

The reservation is written in the transaction that makes key and body durable, and counted by every other one: two jobs at the same
time cannot both take the last credits of a budget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qavix_watch.core.lifecycle import JobState
from qavix_watch.core.money import Span, began, held_said, in_words, over_limit, turns, used_up
from qavix_watch.core.outcomes import Brake, Hold, Later, Outcome
from qavix_watch.errors import ApiError, InsufficientCredits, InvalidRequest, Unreachable
from qavix_watch.stages.account import known_balance, learn_balance, learn_prices, prices_known, reckon
from qavix_watch.stages.answers import refused, unclear
from qavix_watch.stages.mass import came_with_many, look_again, mass_hold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qavix_watch.core.records import Job
    from qavix_watch.core.rules import Rules
    from qavix_watch.core.service import CreatedTask
    from qavix_watch.ports import Hand, Ports
    from qavix_watch.ports.state import Tx

ASK_AGAIN_SECONDS = 60.0
WEIGH_SECONDS = 5.0
_LARGEST_FIRST: tuple[Span, ...] = ("month", "day")
_SHORT_HINT = "Add credits to the account; waiting work goes on by itself."


async def affordable(ports: Ports, rules: Rules, hand: Hand) -> Outcome | None:
    """Learn what has to be known of a job's price. What stands against submitting it, or None. Errors: as for Api.

    Where prices cannot be had, a job of an account without a budget goes on without: the service says what it costs.
    """
    unknown = await _ask_prices(ports)
    price, approved, balance, many = await ports.store.transaction("its price", lambda tx: _look(tx, rules, hand.id))
    if unknown and rules.budget.limits and not approved:
        return Later(ASK_AGAIN_SECONDS, f"its price is not known, and there is a budget: {unknown}")
    if many:
        balance = await learn_balance(ports)
    if price is None or balance is None or price <= balance or hand.probing:
        return None
    balance = await learn_balance(ports)
    if price <= balance:
        return None
    why = f"the next job needs about {in_words(price)}, and {in_words(balance)} remain"
    return Brake("credits", why, _SHORT_HINT, after=60.0, level=balance)


def _look(tx: Tx, rules: Rules, number: int) -> tuple[float | None, bool, float | None, bool]:
    """A job's price, whether a person approved it, the balance, and whether that has to be known because many files came at once."""
    job: Job = tx.work.get("job", number)
    balance = known_balance(tx)
    many = balance is None and rules.budget.approve_mass is None and came_with_many(tx, job)
    return reckon(tx, number), bool(job.approved), balance, many


async def _ask_prices(ports: Ports) -> str:
    """Ask for prices where none are known, at most once a minute. Gives why they are not known, or ""."""
    now = ports.clock.now()
    known, refused = await ports.store.transaction("prices", lambda tx: (prices_known(tx), tx.house.fact("pricing refused")))
    if known:
        return ""
    if refused is not None and 0 <= now - refused[1] < ASK_AGAIN_SECONDS:
        return str(refused[0])
    try:
        await learn_prices(ports)
    except (ApiError, Unreachable) as error:
        said = str(error)
        await ports.store.transaction("no prices", lambda tx: tx.house.learn("pricing refused", said, now))
        return said
    return ""


def reserve(tx: Tx, ports: Ports, rules: Rules, hand: Hand, kept: Mapping[str, Any]) -> Outcome | None:
    """Keep what has to be durable before the POST, and the credits with it. What stands against it, or None.

    A POST that may have gone out already has its credits: it is only repeated.
    """
    job: Job = tx.work.get("job", hand.id)
    now = ports.clock.now()
    if job.posted:
        tx.work.keep(hand.claim, kept)
        return None
    price = reckon(tx, job.id)
    barred = None if job.approved else _barred(tx, ports, rules, hand, price)
    if barred is None:
        tx.work.keep(hand.claim, {**kept, "reserved": price or 0.0, "reserved_at": now, "held_by": ""})
    return barred


async def not_taken(ports: Ports, hand: Hand, error: ApiError | Unreachable) -> Outcome:
    """What follows from a POST that was not answered with success. Where it was surely not taken, its credits are free again.

    `error` itself is raised where it is the world that is wrong.
    """
    job: Job = hand.row
    if not unclear(error):  # what an earlier POST did is as unclear as it was
        await ports.store.transaction("not taken", lambda tx: tx.work.keep(hand.claim, given_back(job)))
    if isinstance(error, InvalidRequest):
        return refused(job, error, ports.clock.now())
    if isinstance(error, InsufficientCredits):
        return await out_of_credits(ports, error)
    raise error from None


def given_back(job: Job) -> dict[str, Any]:
    """The fields of a job of which this POST was not taken; with an earlier one it may still have been."""
    return {"posted": 1} if job.posted else {"posted": 0, "reserved": None}


def _barred(tx: Tx, ports: Ports, rules: Rules, hand: Hand, price: float | None) -> Outcome | None:
    over = over_limit(rules.budget, price)
    if over is not None:
        tx.work.keep(hand.claim, {"held_by": over[0]})
        tx.house.hurry("money", ports.clock.now() + WEIGH_SECONDS)
        return Hold(held_said(price, *over, hand.id))
    return hold_if_mass(tx, ports, rules, hand, last=True) or _budget(tx, ports, rules, hand.id, price)


def hold_if_mass(tx: Tx, ports: Ports, rules: Rules, hand: Hand, *, last: bool = False) -> Hold | None:
    """Hold a job that belongs to more files at once than may go without being asked for, and all of its order with it.

    `last`: even if their price is not known.
    """
    now = ports.clock.now()
    held = mass_hold(tx, rules, tx.work.get("job", hand.id), now, last=last)
    if held is None:
        return None
    batch, why = held
    tx.work.keep(hand.claim, {"held_by": "mass", "batch": batch})
    tx.house.hurry("money", now + WEIGH_SECONDS)
    return Hold(why)


def _budget(tx: Tx, ports: Ports, rules: Rules, job: int, price: float | None) -> Brake | None:
    """The brake that is due where this job does not fit into what is left of the month or the day."""
    now = ports.clock.now()
    for span in _LARGEST_FIRST:
        why = _full(tx, ports, rules, span, price, but=job)
        if why is not None:
            mends = "Or raise the limit and reload or restart the service, or say `qavix-watch approve budget`."
            hint = f"It goes on by itself when the next {span} begins. {mends}"
            return Brake("budget", why, hint, scope=span, after=max(1.0, turns(ports.clock.local, now, span) - now))
    return None


def _full(tx: Tx, ports: Ports, rules: Rules, span: Span, price: float | None, but: int = 0) -> str | None:
    now = ports.clock.now()
    limit = rules.budget.of(span)
    if limit is None:
        return None
    since, (allowed, until) = began(ports.clock.local, now, span), tx.money.allowed(span)
    if allowed >= since or until > now:
        return None
    return used_up(span, limit, tx.money.spent(since, but), price)


async def still_over(ports: Ports, rules: Rules, scope: str) -> str | None:
    """Why the brake `budget` of a "day" or "month" stays on; None where the next job fits, and it lets go."""
    span: Span = "month" if scope == "month" else "day"
    now = ports.clock.now()
    return await ports.store.transaction("the budget", lambda tx: _full(tx, ports, rules, span, tx.money.next_price(now)))


async def out_of_credits(ports: Ports, error: ApiError) -> Brake:
    """What a 402 means, whatever was estimated and whether or not the balance can be asked for."""
    try:
        balance = await learn_balance(ports)
    except (ApiError, Unreachable):
        return Brake("credits", str(error), error.hint, after=60.0)
    return Brake("credits", f"{error} ({in_words(balance)} remain)", error.hint, after=60.0, level=balance)


async def weigh(ports: Ports, rules: Rules, hand: Hand) -> Outcome:
    """A duty: what a limit holds goes on by itself where the limit does not hold it any more."""
    now = ports.clock.now()
    waits = await ports.store.transaction("what limits hold", lambda tx: _weighed(tx, rules, now))
    return Later(WEIGH_SECONDS if waits else None)


def _weighed(tx: Tx, rules: Rules, now: float) -> bool:
    """Let go what may go. Whether anything is still held."""
    batches = look_again(tx, rules, now)
    for job in tx.money.held():
        if job.held_by != "mass":
            _held_still(tx, rules, job, now)
        elif job.batch not in batches:
            tx.money.let_go(job.id, now, "its batch does not wait any more")
    return bool(batches) or bool(tx.money.held())


def _held_still(tx: Tx, rules: Rules, job: Job, now: float) -> None:
    """Let a job go that no limit of its own holds any more, or say which one does now."""
    price = reckon(tx, job.id)
    over = over_limit(rules.budget, price)
    if over is None:
        tx.money.let_go(job.id, now, "no limit holds it any more")
    elif (why := held_said(price, *over, job.id)) != job.reason:
        tx.work.move("job", job.id, (JobState.HELD,), JobState.HELD, now, why, {"held_by": over[0]})


def set_aside(task: CreatedTask) -> dict[str, Any]:
    """The fields of a job that became a task: the budget counts what the service says that it costs, where it says so."""
    cost = task.estimated_credits if task.credits_used is None else task.credits_used
    return {} if cost is None else {"reserved": float(cost)}


def task_failed(tx: Tx, hand: Hand, used: int | None, now: float) -> None:
    """A task that failed costs what the service says, or nothing."""
    tx.work.keep(hand.claim, settled(used or 0))
    tx.money.freed(now)


def settled(used: int | None) -> dict[str, Any]:
    """The fields of a job whose task has ended: the budget counts what was used, where the service says it."""
    return {} if used is None else {"credits_used": used, "reserved": float(used)}

