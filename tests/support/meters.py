"""Meters for tests."""

from __future__ import annotations

from qavix_watch.errors import Stopped


class Count:
    """A meter that remembers, and ends the act after `limit` bytes."""

    def __init__(self, limit: int | None = None) -> None:
        self.total = self.done = 0
        self._limit = limit

    def start(self, total: int, done: int = 0) -> None:
        self.total, self.done = total, done

    def advance(self, amount: int) -> None:
        self.done += amount
        if self._limit is not None and self.done >= self._limit:
            raise Stopped("Told to stop.")
