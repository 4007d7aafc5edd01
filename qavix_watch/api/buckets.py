"""Token buckets on a clock that is handed in: how long until so many may pass."""

from __future__ import annotations


class Bucket:
    """At most `limit` in any span of `seconds`, most of it evenly spread, a few of it at once.

    A bucket that holds `burst` and is filled at `rate` lets at most burst - 1 + rate * seconds pass in any such span, so
    the rate is chosen to make that `limit`: the limit holds however the other side counts.
    """

    def __init__(self, limit: int, seconds: float, burst: int, now: float) -> None:
        self.limit = limit
        self._burst = float(min(max(burst, 1), limit))
        self._rate = (limit + 1 - self._burst) / seconds
        self._tokens = self._burst
        self._at = now

    def wait(self, now: float, count: int = 1) -> float:
        """Seconds until `count` could have passed one after the other; 0.0 where they can now."""
        self._fill(now)
        return max(0.0, (count - self._tokens) / self._rate)

    def take(self, now: float) -> None:
        """One passes, whatever is there."""
        self._fill(now)
        self._tokens -= 1

    def drain(self, now: float) -> None:
        """Nothing is left: the other side has counted more than we did."""
        self._fill(now)
        self._tokens = min(self._tokens, 0.0)

    def _fill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = now
