"""Inputs made from other inputs: words of the target's language put in, parts taken out, doubled, mixed and flipped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

MOST_CHANGES = 5
NUMBERS = (0, 1, 7, 8, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 1 << 63, (1 << 64) - 1)


@dataclass(frozen=True, slots=True)
class Mutator:
    """Makes inputs of at most `longest` bytes; `pool` is what others are mixed from."""

    words: Sequence[bytes]
    pool: Sequence[bytes]
    longest: int

    def made(self, rng: random.Random) -> bytes:
        """An input from the pool, changed; now and then one of words alone."""
        if not self.pool or rng.random() < 0.05:
            return b"".join(rng.choice(self.words) for _ in range(rng.randint(1, 12)))[: self.longest]
        return self.changed(rng.choice(self.pool), rng)

    def changed(self, data: bytes, rng: random.Random) -> bytes:
        """`data` after a few changes."""
        for _ in range(rng.randint(1, MOST_CHANGES)):
            data = rng.choice(_CHANGES)(self, data, rng)[: self.longest]
        return data

    def word(self, data: bytes, rng: random.Random) -> bytes:
        at = rng.randint(0, len(data))
        return data[:at] + rng.choice(self.words) + data[at:]

    def word_for_part(self, data: bytes, rng: random.Random) -> bytes:
        start, end = _part(data, rng)
        return data[:start] + rng.choice(self.words) + data[end:]

    def word_many_times(self, data: bytes, rng: random.Random) -> bytes:
        at = rng.randint(0, len(data))
        return data[:at] + rng.choice(self.words) * rng.choice((2, 3, 16, 300)) + data[at:]

    def without_part(self, data: bytes, rng: random.Random) -> bytes:
        start, end = _part(data, rng)
        return data[:start] + data[end:]

    def part_twice(self, data: bytes, rng: random.Random) -> bytes:
        start, end = _part(data, rng)
        return data[:end] + data[start:]

    def part_elsewhere(self, data: bytes, rng: random.Random) -> bytes:
        start, end = _part(data, rng)
        at = rng.randint(0, len(data))
        return data[:at] + data[start:end] + data[at:]

    def mixed(self, data: bytes, rng: random.Random) -> bytes:
        other = rng.choice(self.pool) if self.pool else b""
        return data[: rng.randint(0, len(data))] + other[rng.randint(0, len(other)) :]

    def flipped(self, data: bytes, rng: random.Random) -> bytes:
        if not data:
            return data
        at = rng.randrange(len(data))
        return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]

    def byte(self, data: bytes, rng: random.Random) -> bytes:
        at = rng.randint(0, len(data))
        return data[:at] + bytes([rng.randrange(256)]) + data[at + rng.randint(0, 1) :]

    def number(self, data: bytes, rng: random.Random) -> bytes:
        """A number of 1 to 8 bytes, written over what is there."""
        width = rng.choice((1, 2, 4, 8))
        number = rng.choice(NUMBERS) & ((1 << 8 * width) - 1)
        at = rng.randint(0, len(data))
        return data[:at] + number.to_bytes(width, rng.choice(("big", "little"))) + data[at + width :]

    def cut(self, data: bytes, rng: random.Random) -> bytes:
        return data[: rng.randint(0, len(data))]


def _part(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randint(0, len(data))
    return start, min(len(data), start + rng.choice((1, 2, 4, 8, 32, 256)))


_CHANGES = (
    Mutator.word, Mutator.word, Mutator.word_for_part, Mutator.word_for_part, Mutator.word_many_times, Mutator.without_part,
    Mutator.part_twice, Mutator.part_elsewhere, Mutator.mixed, Mutator.flipped, Mutator.byte, Mutator.number, Mutator.cut,
)  # fmt: skip
