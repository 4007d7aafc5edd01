"""How long to wait before the next try."""

from __future__ import annotations

FIRST_SECONDS = 2.0
LONGEST_SECONDS = 3600.0


def pause(tries: int, jitter: float, *, first: float = FIRST_SECONDS, longest: float = LONGEST_SECONDS) -> float:
    """Seconds to wait after the `tries`-th failure running (1 is the first).

    Doubles from `first` up to `longest`; `jitter`, a random number from 0 to 1, takes off up to half, so that many waiters part.
    """
    full = min(longest, first * 2.0 ** min(max(tries, 1) - 1, 40))
    return full * (1.0 - jitter / 2.0)
