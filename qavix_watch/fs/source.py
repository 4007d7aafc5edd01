"""A file to look into at any place, for what judges its structure."""

from __future__ import annotations

import os

_TAIL_BYTES = 64 * 1024


class Source:
    """A file to look into at any place."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.size = os.fstat(fd).st_size

    def at(self, offset: int, count: int) -> bytes:
        """At most `count` bytes from `offset`; fewer, or none, at the end."""
        return os.pread(self._fd, count, offset) if offset < self.size else b""

    def ends_in_zeros(self) -> bool:
        tail = self.at(max(0, self.size - _TAIL_BYTES), _TAIL_BYTES)
        return len(tail) == _TAIL_BYTES and not any(tail)
