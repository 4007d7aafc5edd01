"""Sinks and sources in memory, for bodies whose way over the wire is what a test is about."""

from __future__ import annotations

from qavix_watch.errors import NoSpace


class MemorySink:
    """A `ports.Sink` that remembers; `room` is where its disk is full."""

    def __init__(self, data: bytes = b"", room: int | None = None) -> None:
        self.data = bytearray(data)
        self.synced: int | None = None
        self.restarts = 0
        self._room = room

    def size(self) -> int:
        return len(self.data)

    def write(self, data: bytes) -> None:
        if self._room is not None and len(self.data) + len(data) > self._room:
            raise NoSpace("No space.")
        self.data += data

    def restart(self) -> None:
        self.restarts += 1
        self.data.clear()

    def sync(self) -> None:
        self.synced = len(self.data)

    def close(self) -> None:
        pass
