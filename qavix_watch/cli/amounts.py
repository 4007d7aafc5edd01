"""Sizes, rates, times and money as people read them."""

from __future__ import annotations

from datetime import datetime

from qavix_watch.core.money import in_words

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def size(amount: float) -> str:
    """Bytes, in steps of a thousand: `512 B`, `1.2 MB`, `123 GB`."""
    value, unit = float(amount), 0
    while round(value, 1) >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    digits = 0 if unit == 0 or value >= 100 else 1
    return f"{value:.{digits}f} {_UNITS[unit]}"


def rate(bytes_a_second: float) -> str:
    """Bytes a second: `3.4 MB/s`."""
    return f"{size(bytes_a_second)}/s"


def duration(seconds: float) -> str:
    """A stretch of time in its two largest units: `8 s`, `2 min 5 s`, `1 h 3 min`, `2 d 4 h`."""
    whole = max(0, round(seconds))
    for unit, name, below, small in ((_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "min"), (_MINUTE, "min", 1, "s")):
        if whole >= unit:
            rest = whole % unit // below
            return f"{whole // unit} {name}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"


def ago(at: float, now: float) -> str:
    """How long ago a moment was: `just now`, `5 min ago`; one that is still to come: `in 5 min`."""
    passed = now - at
    if abs(passed) < 1:
        return "just now"
    longest = next((unit for unit in (_DAY, _HOUR, _MINUTE) if abs(passed) >= unit), 1)
    words = duration(abs(passed) // longest * longest)
    return f"{words} ago" if passed > 0 else f"in {words}"


def moment(at: float, *, now: float | None = None) -> str:
    """A moment in local time; without the date where it is the same day as `now`."""
    when = datetime.fromtimestamp(at).astimezone()
    same_day = now is not None and when.date() == datetime.fromtimestamp(now).astimezone().date()
    return f"{when:%H:%M:%S}" if same_day else f"{when:%Y-%m-%d %H:%M:%S}"


def window(minutes: tuple[int, int]) -> str:
    """A part of the day, in minutes after midnight: `22:00-06:00`."""
    return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in minutes)


def minute_of_day() -> int:
    """Minutes since midnight, local time."""
    local = datetime.now().astimezone()
    return local.hour * 60 + local.minute


def money(amount: float | None) -> str:
    """Credits: `1 credit`, `1,234 credits`; a dash for what is not known."""
    if amount is None:
        return "–"
    return in_words(amount)
