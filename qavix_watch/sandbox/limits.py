"""Rate limits that really answer 429: exact sliding windows of a second and of a minute, in real time."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import TYPE_CHECKING

from qavix_watch.sandbox.problems import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable


class Window:
    """At most `limit` calls within any `seconds`."""

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self.calls: deque[float] = deque()

    def wait(self, now: float) -> float:
        """Seconds until another call is allowed; 0 for now."""
        while self.calls and self.calls[0] <= now - self.seconds:
            self.calls.popleft()
        return 0.0 if len(self.calls) < self.limit else self.calls[0] + self.seconds - now


class RateLimiter:
    """The account's two limits, as Get Balance tells them. A refused call does not count."""

    def __init__(self, per_minute: int, per_second: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.windows = (Window(per_minute, 60.0), Window(per_second, 1.0))
        self._clock = clock

    def admit(self) -> None:
        """Counts a call, or raises rate_limit_error (429) with Retry-After in whole seconds."""
        now = self._clock()
        wait = max(window.wait(now) for window in self.windows)
        if wait > 0:
            headers = {"Retry-After": str(math.ceil(wait))}
            raise ApiError("rate_limit_error", "rate_limit_exceeded", "too many requests; see Retry-After", headers=headers)
        for window in self.windows:
            window.calls.append(now)
