"""How long a task may take before people are told that it takes too long: by what is done, and how long the media are.

The reference says nothing of it. These are generous bounds, and nothing ends by them: a task past its deadline is told of, is asked for
seldom, and its result is taken when it comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qavix_watch.core.money import CHARACTERS_PER_MINUTE, WIDE_COUNTS
from qavix_watch.core.tasks import TaskType

if TYPE_CHECKING:
    from collections.abc import Mapping

LEAST_SECONDS = 3600.0
"""Every task may take an hour: it may have to wait for its turn."""
MOST_SECONDS = 3 * 86400.0
UNKNOWN_SECONDS = 3 * 3600.0
"""As long as media are taken to be whose length is not known."""

_TIMES: Mapping[str, float] = {
    TaskType.VIDEO_TRANSLATION: 15.0, TaskType.SUBTITLE_TRANSLATION: 8.0, TaskType.SMART_ERASURE: 30.0, TaskType.FACE_SWAP: 30.0,
    TaskType.LIP_SYNC: 30.0, TaskType.TEXT_TO_SPEECH: 8.0,
}  # fmt: skip
"""So many times as long as its media a task may take, beyond LEAST_SECONDS."""


def allowed_seconds(task: str, seconds: float | None, letters: int | None = None) -> float:
    """How long a task of this type may take, from its submission on.

    `seconds`: the length of its media, None where that is not known; `letters`: the length of the text that is spoken, if it is one.
    """
    if letters is not None:
        seconds = letters * WIDE_COUNTS * 60 / CHARACTERS_PER_MINUTE
    length = UNKNOWN_SECONDS if seconds is None else max(0.0, seconds)
    return min(MOST_SECONDS, LEAST_SECONDS + length * _TIMES.get(task, max(_TIMES.values())))


def overdue_said(allowed: float) -> str:
    """Why people are told of a task: it has taken longer than so many seconds."""
    return (
        f"its task has taken longer than such a task should ({_in_words(allowed)}); it is still asked for, and its result is taken when it"
        " comes. Ask Qavix about it; nothing is submitted again"
    )


def _in_words(seconds: float) -> str:
    hours = max(1, round(seconds / 3600))
    return f"{hours} {'hour' if hours == 1 else 'hours'}" if hours < 48 else f"{hours // 24} days"
