"""What `why` says of a path, as a value, and the question that leads to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qavix_watch.core.rules import Rules
    from qavix_watch.store.views import View

    Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What to say of a path. `state` is one word or two, `why` and `hint` are sentences; `jobs` as View.jobs() has them.

    `where` is "inbox", "outbox", "archive", "failed", or "" for everything else. `earlier` are sentences on files that had the
    same path before. `known` is False where there is nothing to say: no such file, and none was ever seen.
    """

    where: str
    state: str
    why: str
    hint: str = ""
    order: str | None = None
    does: str | None = None
    jobs: list[Row] = field(default_factory=list)
    earlier: list[str] = field(default_factory=list)
    known: bool = True


@dataclass(frozen=True, slots=True)
class Case:
    """A path in question: absolute below the folder as it is configured, and relative to that folder."""

    path: bytes
    inside: bytes
    rules: Rules
    look: View | None


def sentence(text: str) -> str:
    """A text as a sentence: a capital at its beginning, a full stop at its end."""
    whole = text.strip()
    return whole[:1].upper() + whole[1:] + ("" if not whole or whole.endswith((".", "!", "?", "…")) else ".")
