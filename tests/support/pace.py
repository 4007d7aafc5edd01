"""How quickly a client that tests play sends."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Pace:
    """So many bytes at a time, and so many seconds of nothing in between."""

    chunk: int
    pause: float

    def pieces(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Offset and content of each, with the pauses between them."""
        for offset in range(0, len(data), self.chunk):
            if offset:
                time.sleep(self.pause)
            yield offset, data[offset : offset + self.chunk]


def add_pace(parser: argparse.ArgumentParser) -> None:
    """The options `--chunk` and `--pause`."""
    parser.add_argument("--chunk", type=int, default=1 << 20, metavar="BYTES", help="(%(default)s)")
    parser.add_argument("--pause", type=float, default=0.3, metavar="SECONDS", help="between two chunks (%(default)s)")
