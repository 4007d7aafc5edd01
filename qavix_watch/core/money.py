"""Credits: what work costs, how much a day and a month may cost, and what is so much at once that a person is asked first."""

from __future__ import annotations

import math
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from qavix_watch.core.tasks import TaskType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from qavix_watch.core.service import Price

    Local = Callable[[float], datetime]

Span = Literal["day", "month"]
SPANS: tuple[Span, ...] = ("day", "month")
_LONGEST_SECONDS = {"day": 27 * 3600, "month": 32 * 86400}

MASS_SECONDS = 600.0
MASS_FILES = 10
MASS_SHARE = 0.2
"""More than so many files of one order in so many seconds are a mass; unless set, one that passes this share of the balance waits."""

CHARACTERS_PER_MINUTE = 900
WIDE_COUNTS = 3
"""Speech: about 150 words of 6 characters a minute, and about 300 characters where they are as wide as high (Chinese, Japanese)."""


@dataclass(frozen=True, slots=True)
class Budget:
    """[budget] in credits; None: no limit. `approve_mass`: None is a fifth of the balance, 0 turns it off."""

    per_job: float | None = None
    per_day: float | None = None
    per_month: float | None = None
    approve_above: float | None = None
    approve_mass: float | None = None

    def of(self, span: Span) -> float | None:
        """The limit of a day or of a month."""
        return self.per_day if span == "day" else self.per_month

    @property
    def limits(self) -> bool:
        """Whether a price has to be known before anything is paid."""
        return any(limit is not None for limit in (self.per_job, self.per_day, self.per_month, self.approve_above))


# What work costs


def rate(prices: Sequence[Price], task: str, language: str | None) -> float | None:
    """Credits a minute by the rows of Pricing: that of the exact language, else of its bare one, else of all; None where there is none."""
    own = {_tag(row.language): row.credits_per_minute for row in prices if row.task_type == task}
    exact = _tag(language)
    bare = exact.partition("-")[0]
    return next((own[tag] for tag in (exact, bare, "") if tag in own), None)


def _tag(language: str | None) -> str:
    return (language or "").replace("_", "-").casefold()


def estimate(task: str, per_minute: float | None, seconds: float | None) -> float | None:
    """Credits for media of that length; None where the price or the length is not known.

    Every started minute counts, which is the cautious reading (the reference names a price a minute, and no rounding). Voice Clone
    costs the same for any length.
    """
    if task == TaskType.VOICE_CLONE:
        return per_minute
    return None if per_minute is None or seconds is None else per_minute * max(1, math.ceil(seconds / 60))


def speech_seconds(text: str) -> float:
    """How long a text takes to speak, about."""
    characters = sum(WIDE_COUNTS if unicodedata.east_asian_width(character) in "WF" else 1 for character in text.strip())
    return characters * 60 / CHARACTERS_PER_MINUTE


def in_words(amount: float) -> str:
    """Credits as people read them: `1 credit`, `1,234 credits`."""
    number = f"{amount:,.2f}".rstrip("0").rstrip(".")
    return f"{number} {'credit' if number == '1' else 'credits'}"


# Days and months


def began(local: Local, at: float, span: Span) -> float:
    """When the local day or month of the moment `at` began, in whole seconds since 1970.

    `local` gives a moment in local time. It is asked, and not an hour reckoned: days have 23 or 25 hours where clocks are changed,
    and some begin at one o'clock. Whole seconds only: datetime rounds the last half microsecond of a day up into the next.
    """
    this = _mark(local(math.floor(at)), span)
    return float(_first(lambda moment: _mark(local(moment), span) >= this, math.floor(at) - _LONGEST_SECONDS[span], math.floor(at)))


def turns(local: Local, at: float, span: Span) -> float:
    """When the next day or month begins."""
    this = _mark(local(math.floor(at)), span)
    return float(_first(lambda moment: _mark(local(moment), span) > this, math.floor(at), math.floor(at) + _LONGEST_SECONDS[span]))


def _mark(moment: datetime, span: Span) -> tuple[int, ...]:
    return (moment.year, moment.month, moment.day) if span == "day" else (moment.year, moment.month)


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The first whole number after `low` for which it holds, where it holds for `high`."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


# What a person is asked first


@dataclass(frozen=True, slots=True)
class Filed:
    """One file of an order: when it came, its price (None while that is not known), how much of it was paid already, whether it waits."""

    at: float
    credits: float | None
    paid: float = 0.0
    waits: bool = True


@dataclass(frozen=True, slots=True)
class Batch:
    """A mass of files of one order that waits for a person: since when, and from when to when its files came."""

    id: int
    place: str
    canonical: str
    since: float
    begun: float
    latest: float


def crowd(files: Sequence[Filed], around: float | None = None) -> list[Filed]:
    """The files of the ten minutes in which the most of them came; with `around`, of those that hold this moment."""
    ordered = sorted(files, key=lambda file: file.at)
    times = [file.at for file in ordered]
    ends = [bisect_right(times, first + MASS_SECONDS) for first in times]
    spans = [(start, end) for start, end in enumerate(ends) if around is None or times[start] <= around <= times[start] + MASS_SECONDS]
    start, end = max(spans, key=lambda span: span[1] - span[0], default=(0, 0))
    return ordered[start:end]


def total(files: Sequence[Filed]) -> float | None:
    """Credits for all of them. One whose price is not known counts as much as the others do on average; None where none is known."""
    known = [file.credits for file in files if file.credits is not None]
    return None if not known else sum(known) * len(files) / len(known)


def mass_limit(budget: Budget, balance: float | None, paid: float = 0.0) -> float | None:
    """What a mass may cost before it waits: as it is set, or a share of what the balance was before any of it was `paid`.

    None where the balance is not known. Infinite where the question is turned off.
    """
    if budget.approve_mass is not None:
        return budget.approve_mass or math.inf
    return None if balance is None else (balance + paid) * MASS_SHARE


def is_mass(files: Sequence[Filed], budget: Budget, balance: float | None) -> bool | None:
    """Whether so many files wait for a person; None where that hangs on a price or a balance that is not known."""
    if len(files) <= MASS_FILES or budget.approve_mass == 0:
        return False
    price, limit = total(files), mass_limit(budget, balance, sum(file.paid for file in files))
    return None if price is None or limit is None else price > limit


def mass_said(files: Sequence[Filed], batch: int) -> str:
    """The sentence for the files of a mass, as many of them as wait."""
    waiting = [file for file in files if file.waits]
    price = total(waiting)
    cost = "the price of which is not known" if price is None else f"about {in_words(round(price))}"
    count, verb, them = ("1 file", "waits", "it") if len(waiting) == 1 else (f"{len(waiting):,} files", "wait", "them")
    return f"{count}, {cost}, {verb} for you: `qavix-watch approve batch-{batch}`, or take {them} out."


# What a limit says of one job


def over_limit(budget: Budget, price: float | None) -> tuple[str, float] | None:
    """The limit that one job passes by itself, by its name, and what it is; "price" where a budget is set and the price not known."""
    if price is None:
        return ("price", 0.0) if budget.limits else None
    limits = {name: getattr(budget, name) for name in ("per_job", "approve_above", "per_day", "per_month")}
    return next(((name, limit) for name, limit in limits.items() if limit is not None and price > limit), None)


def held_said(price: float | None, name: str, limit: float, job: int) -> str:
    """The sentence for a job that a limit of its own holds."""
    go = f"`qavix-watch approve {job}` lets it go on"
    if price is None:
        return f"its price is not known, and there is a budget: {go}"
    return f"it costs about {in_words(price)}, and `budget.{name}` is {in_words(limit)}: {go}, or raise the limit"


def used_up(span: Span, limit: float, spent: float, price: float | None) -> str | None:
    """Why nothing more fits into a day's or month's budget; None where the next job, at this price, does."""
    if spent + (price or 0.0) <= limit and (price is not None or spent < limit):
        return None
    when = "today" if span == "day" else "this month"
    need = "" if price is None else f", and the next job needs about {in_words(price)}"
    return f"`budget.per_{span}` is {in_words(limit)}: {in_words(spent)} are spent or set aside {when}{need}"
