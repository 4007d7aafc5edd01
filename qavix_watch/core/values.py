"""The values of keys as a name writes them: `voice=Maria`, `embed=yes`, `mode=manual`, `region=bottom`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qavix_watch.core.regions import read_region
from qavix_watch.core.text import check_text, fold
from qavix_watch.errors import OrderError

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_VOICE = 200  # characters
CHOICES = {"mode": ("auto", "manual", "protect"), "priority": ("high", "normal", "low")}


def read_value(key: str, text: str) -> Any:
    """The value of `key=text` in a name. Raises OrderError."""
    if not text:
        raise OrderError(f"`{key}=` says nothing.", hint=f"Write a value after it, or take `{key}=` out.")
    return _FROM_TEXT[key](text)


def yes_or_no(key: str, text: str) -> bool:
    answer = {"yes": True, "no": False}.get(text.lower())
    if answer is None:
        raise OrderError(f"`{key}={text}`: only `{key}=yes` and `{key}=no` are known.")
    return answer


def choice(key: str, text: str) -> str:
    if text.lower() not in CHOICES[key]:
        raise OrderError(f"`{key}={text}`: `{key}` is one of {', '.join(CHOICES[key])}.")
    return text.lower()


def free(key: str, text: str) -> str:
    """Free text, folded: the same voice compares equal wherever it was written."""
    folded = fold(text)
    if not 1 <= len(folded) <= LONGEST_VOICE:
        raise OrderError(f"`{key}` has {len(folded)} characters; 1 to {LONGEST_VOICE} can be used.")
    check_text(text.replace("/", " "))
    return folded


_FROM_TEXT: dict[str, Callable[[str], Any]] = {
    "voice": partial(free, "voice"),
    "name": partial(free, "name"),
    "embed": partial(yes_or_no, "embed"),
    "hold": partial(yes_or_no, "hold"),
    "mode": partial(choice, "mode"),
    "priority": partial(choice, "priority"),
    "region": read_region,
}
