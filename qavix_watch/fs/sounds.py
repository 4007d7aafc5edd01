"""Whether a FLAC file was cut short (RFC 9639). MediaInfo does not say so of it.

Hostile bytes: used only inside the media child (law 11).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qavix_watch.fs.source import Source

_TAIL_BYTES = 512 * 1024  # more than a frame of the subset has
_BLOCK_SIZES = {1: 192} | {code: 576 << code - 2 for code in range(2, 6)} | {code: 256 << code - 8 for code in range(8, 16)}
_SYNC = re.compile(rb"\xff[\xf8\xf9]")
_MOST_HEADS = 20_000  # what may be the head of a frame in the tail; in sound there are a few dozen
_STREAMINFO = 8  # where it begins: after "fLaC" and the head of its block


def flac_is_whole(source: Source) -> bool:
    """Whether its last frame holds the last of the samples that its head promises; True where it promises nothing."""
    info = source.at(_STREAMINFO, 18)
    if len(info) < 18:
        return False
    promised = int.from_bytes(info[13:18], "big") & 0xF_FFFF_FFFF
    return not promised or _last_sample(source, int.from_bytes(info[:2], "big")) >= promised


def _last_sample(source: Source, block: int) -> int:
    """How many samples there are up to the end of the last frame that can be found."""
    tail = source.at(max(0, source.size - _TAIL_BYTES), _TAIL_BYTES)
    heads = [found.start() for found in _SYNC.finditer(tail)]
    for at in heads[: -_MOST_HEADS - 1 : -1]:
        if (end := _frame_end(tail[at : at + 16], block)) is not None:
            return end
    return 0


def _frame_end(head: bytes, block: int) -> int | None:
    """The number of the sample after a frame, by its head, which begins with a sync code; None where its CRC-8 says that it is none."""
    if len(head) < 6:
        return None
    number, at = _coded_number(head)
    size_code = head[2] >> 4
    more = {6: 1, 7: 2}.get(size_code, 0)
    size = int.from_bytes(head[at : at + more], "big") + 1 if more else _BLOCK_SIZES.get(size_code, 0)
    at += more + {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    if not size or at >= len(head) or _crc8(head[:at]) != head[at]:
        return None
    return (number if head[1] & 1 else number * block) + size


def _coded_number(head: bytes) -> tuple[int, int]:
    """The frame's or sample's number, coded as UTF-8 codes letters, and where it ends."""
    first = head[4]
    if first < 0x80:
        return first, 5
    length = 8 - (first ^ 0xFF).bit_length()
    number = first & (0x7F >> length)
    for byte in head[5 : 4 + length]:
        number = number << 6 | byte & 0x3F
    return number, 4 + max(length, 1)


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (0x07 if crc & 0x80 else 0)) & 0xFF
    return crc
