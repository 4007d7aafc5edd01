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
_WINDOW = 1 << 20


def jpeg_is_whole(source: Source) -> bool:
    """Whether the End Of Image marker is reached by walking the segments; what lies after it (phones add trailers) is
    free.
    """
    at = 2
    while len(head := source.at(at, 4)) >= 2 and head[0] == 0xFF:
        marker = head[1]
        if marker == _JPEG_END:
            return True
        if marker == 0xFF or marker in _JPEG_ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        at += 2 + int.from_bytes(head[2:4], "big")
        if marker == _JPEG_SCAN:
            at = _end_of_scan(source, at)
    return False


def _end_of_scan(source: Source, at: int) -> int:
    """Where the next marker stands after the compressed data that begins at `at`."""
    while window := source.at(at, _WINDOW):
        if found := _NEXT_MARKER.search(window):
            return at + found.start()
        at += max(1, len(window) - 1)  # a marker may lie across two windows
        if len(window) < _WINDOW:
            break
    return source.size


def png_is_whole(source: Source) -> bool:
    """Whether its chunks lead to an IEND that is all there."""
    at = _PNG_HEAD
    while len(head := source.at(at, 8)) == 8:
        at += 12 + int.from_bytes(head[:4], "big")
        if head[4:] == b"IEND":
            return at <= source.size
    return False


def gif_is_whole(source: Source) -> bool:
    """Whether its blocks lead to the trailer."""
    flags = source.at(10, 1)
    at = 13 + _gif_colours(flags[0]) if flags else source.size
    while kind := source.at(at, 1):
        if kind == b";":
            return True
        if kind == b"!":
            at = _after_gif_data(source, at + 2)
        elif kind == b"," and (flags := source.at(at + 9, 1)):
            at = _after_gif_data(source, at + 11 + _gif_colours(flags[0]))
        else:
            return False
    return False


def _gif_colours(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_gif_data(source: Source, at: int) -> int:
    while (length := source.at(at, 1)) and length[0]:
        at += 1 + length[0]
    return at + 1


def bmp_is_whole(source: Source) -> bool:
    return int.from_bytes(source.at(2, 4), "little") <= source.size
