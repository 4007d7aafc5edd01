"""Lenient reading of single JSON fields, with bounds: what a field may be, and what it becomes.

Unknown fields are passed over, missing and null ones are None, ids may be integers, numbers may be strings of digits.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import TypeVar

from qavix_watch.api.texts import one_line

LONGEST_ID = 200
LONGEST_URL = 8 * 1024
LONGEST_CURSOR = 2 * 1024
LONGEST_WORD = 100
LONGEST_NAME = 1000
MOST_ROWS = 10_000

_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,15})?\Z", re.ASCII)
_URL = re.compile(r"(?i)https?://[^\s/?#]")
_MILLISECONDS_FROM = 1e11  # as seconds, the year 5138
_LAST_SECOND = 32_503_680_000.0  # the year 3000
_LARGEST_NUMBER = 1e15

T = TypeVar("T")


class MisreadError(ValueError):
    """An answer lacks what the reference says is always there; the text names the field."""


Fields = dict[str, object]


def fields(value: object, name: str) -> Fields:
    """A JSON object; MisreadError where it is none."""
    if not isinstance(value, dict):
        raise MisreadError(f"`{name}` is no object")
    return value


def rows(value: object, name: str) -> list[object]:
    """A JSON array; MisreadError where it is none, or has more rows than any answer."""
    if not isinstance(value, list):
        raise MisreadError(f"`{name}` is no list")
    if len(value) > MOST_ROWS:
        raise MisreadError(f"`{name}` has {len(value)} rows; {MOST_ROWS} at most are read")
    return value


def required(value: T | None, name: str) -> T:
    """`value` where it was understood; MisreadError where not."""
    if value is None:
        raise MisreadError(f"`{name}` is missing, or is not what it should be")
    return value


def number(value: object) -> float | None:
    """A finite number, also from a string of digits; None for anything else."""
    if isinstance(value, str) and _NUMBER.match(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) <= _LARGEST_NUMBER else None  # NaN compares false


def whole(value: object) -> int | None:
    """A whole number, rounded up where it has a fraction: credits are never understated."""
    found = number(value)
    return None if found is None else math.ceil(found)


def cost(value: object) -> int | None:
    """What work costs, rounded up; None for what is no number, and for less than nothing: no work gives credits."""
    found = whole(value)
    return None if found is None or found < 0 else found


def time(value: object) -> float | None:
    """A point in time as seconds since 1970, from ISO 8601 or from seconds or milliseconds since 1970."""
    found = number(value)
    if found is None and isinstance(value, str):
        found = _iso(value.strip())
    elif found is not None and found >= _MILLISECONDS_FROM:
        found /= 1000
    return found if found is not None and 0 <= found <= _LAST_SECOND else None


def _iso(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text.upper())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def identifier(value: object) -> str | None:
    """An id: a string or an integer; at most 200 printable characters, else None."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 10**LONGEST_ID else ""
    if not isinstance(value, str):
        return None
    text = value.strip()
    return text if 0 < len(text) <= LONGEST_ID and text.isprintable() else None


def word(value: object) -> str | None:
    """A short text such as a type or a language tag, on one line."""
    return one_line(value, LONGEST_WORD) or None if isinstance(value, str) else None


def name(value: object) -> str | None:
    """A name that a person gave, on one line and cut where it is very long."""
    return one_line(value, LONGEST_NAME) or None if isinstance(value, str) else None


def cursor(value: object) -> str | None:
    """Where the next page begins; "" and null are None, MisreadError for what cannot be sent back."""
    if value is None or value == "":
        return None
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not text.isprintable() or not 0 < len(text) <= LONGEST_CURSOR:
        raise MisreadError("`next_cursor` is not what it should be")
    return text


def url(value: object, name: str) -> str | None:
    """An HTTP(S) address of at most 8 KiB; "" and null are None, MisreadError for what is no address."""
    if value is None or value == "":
        return None
    text = value.strip() if isinstance(value, str) else ""
    if len(text) > LONGEST_URL or not _URL.match(text) or not text.isprintable():
        raise MisreadError(f"`{name}` is no address that can be used")
    return text
