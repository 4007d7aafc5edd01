"""The rate that all uploads share (`[upload] rate`)."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST_CHUNK = 256 * 1024
SMALLEST_CHUNK = 4 * 1024
_CHUNKS_PER_SECOND = 8
_LONGEST_SLEEP = 0.25


class Pace:
    """Lets bytes pass at `rate` a second (None: as fast as they come), shared evenly by the threads that ask."""

    def __init__(self, rate: float | None, monotonic: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._lock = threading.Lock()
        self._monotonic = monotonic
        self._sleep = sleep
        self._free_at = float("-inf")
        self._rate = rate

    def set_rate(self, rate: float | None) -> None:
        """Another rate, from the next chunk on."""
        with self._lock:
            self._rate = rate

    def chunk(self) -> int:
        """How many bytes to pass at once, so that a slow rate is still smooth."""
        rate = self._rate
        return LARGEST_CHUNK if rate is None else min(max(int(rate / _CHUNKS_PER_SECOND), SMALLEST_CHUNK), LARGEST_CHUNK)

    def wait(self, amount: int, look_up: Callable[[], None]) -> None:
        """Return when `amount` bytes may pass; `look_up` is called now and then, and ends the wait by raising."""
        due = self._reserve(amount)
        while (left := due - self._monotonic()) > 0:
            self._sleep(min(left, _LONGEST_SLEEP))
            look_up()

    def _reserve(self, amount: int) -> float:
        with self._lock:
            if not self._rate:
                return float("-inf")
            due = max(self._free_at, self._monotonic())
            self._free_at = due + amount / self._rate
            return due
