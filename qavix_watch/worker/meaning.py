"""What an error of the world means for the work that met it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qavix_watch.core.outcomes import Brake, Hold, Later, Outcome, Retry
from qavix_watch.errors import (
    ApiError,
    AuthenticationRefused,
    FileError,
    InsufficientCredits,
    InvalidRequest,
    MediaError,
    NoMediaReader,
    NoSpace,
    PermissionRefused,
    QavixWatchError,
    RateLimited,
    RootOffline,
    ServiceFailed,
    Stopped,
    Unreachable,
)
from qavix_watch.stages.answers import about_the_path
from qavix_watch.stages.doubts import wrong_path
from qavix_watch.worker.lanes import ARCHIVING

if TYPE_CHECKING:
    from qavix_watch.core.rules import Rules
    from qavix_watch.worker.piece import Piece

LONGEST_RATE_SECONDS = 900.0
UNSAID_SECONDS = 2.0
"""The pause after a first 429 that names none; it doubles."""
UNREADABLE_SECONDS = 10.0
ACCOUNT_CALLS = frozenset({"get_balance", "usage_history", "pricing"})
ELSEWHERE = {"storage", "result host"}
"""Hosts that are not the service: their failures say nothing of it."""


def meaning(error: QavixWatchError, piece: Piece, rules: Rules) -> Outcome | None:
    """The outcome; None where it depends on how often the service has failed before."""
    said = str(error)
    match error:
        case Stopped():
            return Later(0.0, piece.row.reason)
        case RootOffline():
            return Brake("root", said, error.hint, rules.layout.place)
        case NoSpace():
            return Brake("disk", said, "Make room; work goes on by itself.", piece.lane.disk, 10.0)
        case ServiceFailed() if error.operation in ELSEWHERE:
            return Retry(said)
        case Unreachable() | ServiceFailed():
            return None
        case ApiError():
            return _refusal(error)
        case MediaError() if not isinstance(error, NoMediaReader):
            return Hold(said)
        case MediaError() | FileError():
            # An original that cannot be put away holds nothing up; that it is tried in vain is what people are told by.
            vain = {"tries": piece.row.tries + 1} if piece.lane.name in ARCHIVING else {}
            return Later(UNREADABLE_SECONDS, said, vain)
    return Retry(said)


def _refusal(error: ApiError) -> Outcome:
    said = str(error)
    if is_about_the_key(error):
        return Brake("auth", said, f"{error.hint} The service takes up a new key when it is reloaded or restarted.", after=30.0)
    match error:
        case RateLimited():
            return Brake("rate", said, "Nothing needs to be done.", after=min(error.retry_after or UNSAID_SECONDS, LONGEST_RATE_SECONDS))
        case InsufficientCredits():
            return Brake("credits", said, error.hint)
        case InvalidRequest():
            return Retry(said, refused_by=error.operation)
        case _ if about_the_path(error):
            return wrong_path(error.operation, said, hint=error.hint if error.status in {302, 403} else "")
    return Retry(said + (f" ({error.hint})" if error.hint else ""))


def is_about_the_key(error: ApiError) -> bool:
    """A key that is refused, and an account that may not even ask about itself."""
    return isinstance(error, AuthenticationRefused) or (isinstance(error, PermissionRefused) and error.operation in ACCOUNT_CALLS)
