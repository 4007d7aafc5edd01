"""Durations, sizes, rates, money, the upload window and file modes: from what people write to plain numbers.

PRODUCT: durations are seconds or text with a unit, sizes bytes or text, rates bytes a second or text, money credits.
Every function takes what TOML or the environment gave and raises `SettingError` for what it is not.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from qavix_watch.config.wrong import EnvText, SettingError, kind_of

_SECONDS = {
    "ms": 0.001, "millisecond": 0.001, "milliseconds": 0.001,
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0,
    "m": 60.0, "min": 60.0, "mins": 60.0, "minute": 60.0, "minutes": 60.0,
    "h": 3600.0, "hr": 3600.0, "hrs": 3600.0, "hour": 3600.0, "hours": 3600.0,
    "d": 86400.0, "day": 86400.0, "days": 86400.0,
    "w": 604800.0, "week": 604800.0, "weeks": 604800.0,
}  # fmt: skip
_BYTES = {"b": 1, "byte": 1, "bytes": 1} | {
    letter + tail: base**power
    for power, letter in enumerate("kmgtp", start=1)
    for tail, base in (("b", 1000), ("ib", 1024))
}
_BITS = {letter + "bit": 1000**power // 8 for power, letter in enumerate("kmg", start=1)}

_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)")
_PARTS = re.compile(rf"(?:{_PART.pattern}[\s,]*)+")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")

DURATION_MEND = 'write seconds, or text with a unit such as 0.5, "500 ms", "90 s", "1 h 30 min" or "3 days"'
SIZE_MEND = 'write bytes, or text with a unit such as "20 MB" or "1 GiB"'
RATE_MEND = 'write bytes a second, or text such as "20 MB/s" or "100 Mbit/s"'
CREDITS_MEND = 'write a number of credits such as 500, or text such as "500 credits"'
WINDOW_MEND = 'write two times of day such as "22:00-06:00"'
MODE_MEND = 'write it in octal, such as "0664" or 0o664'


class Window(NamedTuple):
    """A part of the day in local time, in minutes after midnight (which it may pass); `end` is outside."""

    start: int
    end: int


def _plain(value: object) -> float | None:
    """The number that a value is by itself, None for text that needs a unit; SettingError for booleans and the like."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise SettingError(f"must be a number or text, not {kind_of(value)}")
    if isinstance(value, str):
        return float(value) if _PLAIN.fullmatch(value.strip()) else None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _bounded(number: float, mend: str) -> float:
    if not math.isfinite(number):
        raise SettingError("must be finite", mend)
    if number < 0:
        raise SettingError("must not be negative", mend)
    return number


def duration(value: object) -> float:
    """Seconds, finite and at least 0."""
    plain = _plain(value)
    return _bounded(_sum_of_parts(str(value)) if plain is None else plain, DURATION_MEND)


def _sum_of_parts(text: str) -> float:
    parts = _PART.findall(text)
    if not _PARTS.fullmatch(text.strip()) or any(unit.lower() not in _SECONDS for _, unit in parts):
        raise SettingError(f'"{text}" is no duration', DURATION_MEND)
    return sum(float(number) * _SECONDS[unit.lower()] for number, unit in parts)


def size(value: object) -> int:
    """Bytes, at least 0."""
    plain = _plain(value)
    return round(_bounded(_measure(str(value), _BYTES, "size", SIZE_MEND) if plain is None else plain, SIZE_MEND))


def rate(value: object) -> int:
    """Bytes a second, at least 1."""
    plain = _plain(value)
    text = str(value).strip()
    if plain is None and not text.endswith("/s"):
        raise SettingError(f'"{text}" is no rate', RATE_MEND)
    number = _measure(text.removesuffix("/s"), _BYTES | _BITS, "rate", RATE_MEND) if plain is None else plain
    if _bounded(number, RATE_MEND) < 1:
        raise SettingError("must be at least one byte a second", "leave the key out for no limit")
    return round(number)


def _measure(text: str, units: dict[str, int], noun: str, mend: str) -> float:
    part = _PART.fullmatch(text.strip())
    if part is None or part[2].lower() not in units:
        raise SettingError(f'"{text}" is no {noun}', mend)
    if re.fullmatch("[KMGTP]b", part[2]):
        raise SettingError(f'"{part[2]}" reads as bits', f'write "{part[2][0]}B" for bytes')
    return float(part[1]) * units[part[2].lower()]


def credits(value: object) -> float:  # noqa: A001 - the service's own word for its money
    """Credits, finite and at least 0."""
    if isinstance(value, str):
        value = re.sub(r"\s*credits?\s*$", "", value, flags=re.IGNORECASE)
    number = _plain(value)
    if number is None:
        raise SettingError("is no number of credits", CREDITS_MEND)
    return _bounded(number, CREDITS_MEND)


def window(value: object) -> Window:
    """A part of the day, from text such as "22:00-06:00"."""
    if isinstance(value, Window):
        return value
    if not isinstance(value, str):
        raise SettingError(f"must be text, not {kind_of(value)}", WINDOW_MEND)
    times = [_CLOCK.fullmatch(part.strip()) for part in re.split("[-\N{EN DASH}]", value)]
    minutes = [int(time[1]) * 60 + int(time[2]) for time in times if time]
    if len(times) != 2 or len(minutes) != 2:
        raise SettingError(f'"{value}" is no part of the day', WINDOW_MEND)
    if minutes[0] == minutes[1]:
        raise SettingError("begins when it ends", "leave the key out to upload at any time")
    return Window(*minutes)


def mode(value: object) -> int:
    """The permissions of a file. A decimal 664 was meant as octal: it is refused, as its bits make no sense."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise SettingError(f"must be text or a number, not {kind_of(value)}", MODE_MEND)
    if isinstance(value, str) and not re.fullmatch("(?:0o?)?[0-7]{3}", value.strip()):
        raise SettingError("is no file mode", MODE_MEND)
    bits = int(value, 8) if isinstance(value, str) else value
    if not 0 <= bits <= 0o777:
        raise SettingError("is no file mode", MODE_MEND)
    if bits & 0o600 != 0o600:
        raise SettingError("would keep the owner from reading or writing the file", MODE_MEND)
    return bits


def whole(value: object) -> int:
    """A whole number; text of digits too where it comes from the environment."""
    if isinstance(value, EnvText) and re.fullmatch(r"\s*[+-]?\d+\s*", value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise SettingError(f"must be a whole number, not {kind_of(value)}")
    return value


def yes_no(value: object) -> bool:
    """True or false; words for it too where it comes from the environment."""
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if isinstance(value, EnvText) and value.strip().lower() in words:
        return words[value.strip().lower()]
    if not isinstance(value, bool):
        mend = "write it without quotation marks" if isinstance(value, str) else ""
        raise SettingError("must be true or false", mend)
    return value
