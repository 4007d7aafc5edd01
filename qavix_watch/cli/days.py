"""Days as people name them. They are days of this machine's time zone; the service's own days are nowhere described."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FORMS = "a day (2026-11-22), a month (2026-11), today or yesterday"


@dataclass(frozen=True, slots=True)
class Period:
    """From the beginning of `first` to the end of `last`, local days."""

    first: date
    last: date

    def holds(self, at: float | None) -> bool:
        """Whether a moment (seconds since 1970) lies in it; one that is not known does."""
        return at is None or self.first <= day_of(at) <= self.last

    def asked(self, today: date) -> tuple[str, str | None]:
        """What to ask the service for, so that nothing is missed whatever its time zone is, and whether or not its ends count."""
        last = self.last + timedelta(days=2)
        return (self.first - timedelta(days=2)).isoformat(), last.isoformat() if last < today else None


def day_of(at: float) -> date:
    """The local day of a moment in seconds since 1970."""
    return datetime.fromtimestamp(at).astimezone().date()


def zone(day: date) -> str:
    """The name of the time zone on a day: `CET`, `UTC`."""
    return datetime.combine(day, time(12)).astimezone().tzname() or "local time"


def first_day(text: str, today: date) -> date:
    """The day that `text` names, or the first of the month that it names. ValueError for what is neither."""
    word = text.strip().lower()
    if word in {"today", "yesterday"}:
        return today - timedelta(days=word == "yesterday")
    return date.fromisoformat(f"{word}-01" if len(word) == len("2026-11") else word)


def last_day(text: str, today: date) -> date:
    """The same, of a month its last day."""
    first = first_day(text, today)
    if len(text.strip()) != len("2026-11"):
        return first
    return (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def period(first: str | None, last: str | None, days: int | None, *, month: bool, today: date) -> Period:
    """The period that a person asked for; the last 30 days where nothing was said. ValueError says what is wrong."""
    if sum((first is not None or last is not None, days is not None, month)) > 1:
        raise ValueError("say one of --from/--to, --days and --month")
    if month:
        return Period(today.replace(day=1), today)
    if first is None and last is None:
        return Period(_back(today, (days or 30) - 1), today)
    until = today if last is None else _read(last, "--to", last_day, today)
    since = _back(until, 29) if first is None else _read(first, "--from", first_day, today)
    if since > until:
        raise ValueError(f"--from ({since}) lies after --to ({until})")
    return Period(since, until)


def _back(day: date, days: int) -> date:
    return day - timedelta(days=min(days, (day - date(2000, 1, 1)).days))


def _read(text: str, option: str, read: Callable[[str, date], date], today: date) -> date:
    try:
        found = read(text, today)
    except ValueError:
        raise ValueError(f"{option}: “{text}” is no date; write {FORMS}") from None
    if not 2000 <= found.year < 9000:
        raise ValueError(f"{option}: “{text}” is no date that anybody has worked on")
    return found
