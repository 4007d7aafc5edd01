"""Keeps API calls under the account's limits: `rate_limits` of Get Balance, and what a 429 asks for."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from qavix_watch.api.buckets import Bucket
from qavix_watch.errors import RateLimited

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

LONGEST_PAUSE = 15 * 60.0
IN_FLIGHT = 8  # httpx's cost per request grows with the callers that wait for a connection
PATIENCE = 5.0

# A little longer than the spans they stand for: calls that leave evenly do not arrive evenly.
_MINUTE, _SECOND = 61.0, 1.05
_LARGEST_LIMIT = 1_000_000
_SLACK = 1e-6
_REMEMBERED = 1000


class Limiter:
    """Lets calls pass in the order they came, as fast as the limits allow, at most `in_flight` at a time.

    A call that would have to wait longer than `patience` seconds is not kept waiting: it gets RateLimited with the wait.
    Without known limits (before the first Get Balance) only the number in flight is bounded. One event loop only.
    """

    def __init__(
        self, monotonic: Callable[[], float], *, patience: float = PATIENCE, in_flight: int = IN_FLIGHT
    ) -> None:
        self._monotonic = monotonic
        self._patience = patience
        self._slots = asyncio.Semaphore(in_flight)
        self._line = asyncio.Lock()
        self._ahead = 0
        self._closed_until = float("-inf")
        self._buckets: dict[str, Bucket] = {}
        self._passed: deque[float] = deque(maxlen=_REMEMBERED)

    def set_rates(self, requests_per_minute: int | None, queries_per_second: int | None) -> None:
        """Take over the account's limits; None, or a number that cannot be one, is no limit."""
        self._set("minute", requests_per_minute, _MINUTE, 10)
        self._set("second", queries_per_second, _SECOND, 4)

    def refused(self, retry_after: float | None) -> None:
        """The service said 429: nothing passes for `retry_after` seconds, where it named them."""
        now = self._monotonic()
        for bucket in self._buckets.values():
            bucket.drain(now)
        if retry_after is not None:
            self._closed_until = max(self._closed_until, now + min(max(retry_after, 0.0), LONGEST_PAUSE))

    @asynccontextmanager
    async def turn(self, operation: str) -> AsyncIterator[None]:
        """The body runs when it is this call's turn; RateLimited where that is too far away."""
        self._be_patient(operation, self._ahead + 1)
        self._ahead += 1
        try:
            await self._slots.acquire()
        finally:
            self._ahead -= 1
        try:
            await self._pass(operation)
            yield
        finally:
            self._slots.release()

    async def _pass(self, operation: str) -> None:
        self._ahead += 1
        try:
            async with self._line:
                while (wait := self._wait(1)) > 0:
                    self._be_patient(operation, 1)
                    await asyncio.sleep(wait)
                self._take()
        finally:
            self._ahead -= 1

    def _take(self) -> None:
        now = self._monotonic()
        self._passed.append(now)
        for bucket in self._buckets.values():
            bucket.take(now)

    def _be_patient(self, operation: str, count: int) -> None:
        wait = self._wait(count)
        if wait > self._patience:
            raise RateLimited(
                f"{operation} would have to wait {wait:.0f} s for the account's rate limits.",
                operation=operation,
                retry_after=wait,
                code="local_limiter",
            )

    def _wait(self, count: int) -> float:
        """Seconds until the last of `count` calls may pass."""
        now = self._monotonic()
        pause = self._closed_until - now
        wait = max([0.0, pause, *(bucket.wait(now, count) for bucket in self._buckets.values())])
        return wait if wait > _SLACK else 0.0

    def _set(self, name: str, limit: int | None, seconds: float, share: int) -> None:
        """At once goes one part in `share` of the limit; the rest is spread."""
        if limit is None or not 0 < limit <= _LARGEST_LIMIT:
            self._buckets.pop(name, None)
        elif name not in self._buckets or self._buckets[name].limit != limit:
            bucket = Bucket(limit, seconds, limit // share, self._passed[0] if self._passed else self._monotonic())
            # The service counts the calls from before we knew its limit too, Get Balance itself among them.
            for moment in self._passed:
                bucket.take(moment)
            self._buckets[name] = bucket
