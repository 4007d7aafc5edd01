"""Whether a picture was cut short, from its own structure. MediaInfo does not say so of pictures.

Hostile bytes: used only inside the media child (law 11).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qavix_watch.fs.source import Source

_PNG_HEAD = 8
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length: TEM, RST0 to RST7, SOI
_JPEG_END = 0xD9
_JPEG_SCAN = 0xDA
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
_WINDOW = 1 << 16
_LARGEST = 1 << 31  # bytes of a JPEG that are searched for its next marker
_STEPS = 200_000
"""Segments, chunks or blocks of one picture that are looked at. No picture has so many, and then its end says nothing."""
_GIF_STEPS = 1_000_000  # its blocks have 255 bytes at most


def jpeg_is_whole(source: Source) -> bool:
    """Whether the End Of Image marker is reached by walking the segments; what lies after it (phones add trailers) is
    free.
    """
    at = 2
    for _ in range(_STEPS):
        head = source.at(at, 4)
        if len(head) < 2 or head[0] != 0xFF:
            return False
        if head[1] == _JPEG_END:
            return True
        at = _after_segment(source, at, head)
    return True


def _after_segment(source: Source, at: int, head: bytes) -> int:
    marker = head[1]
    if marker == 0xFF or marker in _JPEG_ALONE:
        return at + (1 if marker == 0xFF else 2)
    at += 2 + int.from_bytes(head[2:4], "big")
    return _end_of_scan(source, at) if marker == _JPEG_SCAN else at


def _end_of_scan(source: Source, at: int) -> int:
    """Where the next marker stands after the compressed data that begins at `at`."""
    size = 512  # and more from window to window: a hostile file has a marker everywhere
    while at < _LARGEST and (window := source.at(at, size)):
        if found := _NEXT_MARKER.search(window):
            return at + found.start()
        at += max(1, len(window) - 1)  # a marker may lie across two windows
        if len(window) < size:
            break
        size = min(2 * size, _WINDOW)
    return source.size


def png_is_whole(source: Source) -> bool:
    """Whether its chunks lead to an IEND that is all there."""
    at = _PNG_HEAD
    for _ in range(_STEPS):
        head = source.at(at, 8)
        if len(head) < 8:
            return False
        at += 12 + int.from_bytes(head[:4], "big")
        if head[4:] == b"IEND":
            return at <= source.size
    return True


def gif_is_whole(source: Source) -> bool:
    """Whether its blocks lead to the trailer."""
    flags = source.at(10, 1)
    at = 13 + _gif_colours(flags[0]) if flags else source.size
    in_data = False  # within the blocks of data that end with an empty one
    for _ in range(_GIF_STEPS):
        head = source.at(at, 1)
        if not head:
            return False
        if in_data:
            in_data, at = head != b"\0", at + 1 + head[0]
        elif head == b";":
            return True
        elif head == b"!":
            in_data, at = True, at + 2
        elif head == b"," and (flags := source.at(at + 9, 1)):
            in_data, at = True, at + 11 + _gif_colours(flags[0])
        else:
            return False
    return True


def _gif_colours(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def bmp_is_whole(source: Source) -> bool:
    return int.from_bytes(source.at(2, 4), "little") <= source.size
