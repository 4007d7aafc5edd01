"""What a check finds: a level, a sentence, and the mend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qavix_watch.cli.checks.case import Case
    from qavix_watch.errors import QavixWatchError


class Level(StrEnum):
    """How bad it is. A warning does not keep anything from being done."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `text` says what was found, `mend` what to do about it ("" where there is nothing to do)."""

    level: Level
    text: str
    mend: str = ""


Check = Callable[["Case"], Iterator[Finding]]
"""One group of checks."""


def ok(text: str) -> Finding:
    """As it should be."""
    return Finding(Level.OK, text)


def warning(text: str, mend: str = "") -> Finding:
    """It works, and could be better, or will not for long."""
    return Finding(Level.WARNING, text, mend)


def problem(text: str, mend: str = "") -> Finding:
    """It does not work."""
    return Finding(Level.PROBLEM, text, mend)


def of_error(error: QavixWatchError) -> Finding:
    """An error of this program says what is wrong and what to do."""
    return problem(sentence(str(error)), error.hint)


def sentence(text: str) -> str:
    """With a capital, unless it begins with a key or a path, and with a full stop."""
    first = text.split(" ", maxsplit=1)[0]
    return (text[:1].upper() if first.isalpha() else text[:1]) + text[1:] + ("" if text.endswith((".", "?", "!", "…")) else ".")
