"""A file is judged whole or cut, in a bounded number of looks, however large it claims to be.

The first byte says how the rest becomes a file: as it is; or repeated from some place on, without an end.
"""

from __future__ import annotations

from qavix_watch.fs import containers, pictures, sounds
from qavix_watch.fs.source import Source

LONGEST = 2000
WORDS = (
    b"\x00\x00\x00\x18ftypisom", b"\x00\x00\x00\x08moov", b"\x00\x00\x00\x08mdat", b"\x00\x00\x00\x08free", b"\x00\x00\x00\x08moof",
    b"\x00\x00\x00\x01mdat\x00\x00\x00\x00\x00\x00\x00\x10", b"\x00\x00\x00\x00mdat", b"heic", b"M4A ", b"wide", b"uuid", b"meta",
    b"\x1aE\xdf\xa3\x80", b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff", b"\x18\x53\x80\x67\x80", b"\x1f\x43\xb6\x75\x80",
    b"\xec\x80", b"RIFF\x04\x00\x00\x00WAVE", b"RF64\xff\xff\xff\xffWAVEds64", b"RIFF\x00\x00\x00\x00AVI ", b"WEBP", b"BW64", b"LIST",
    b"OggS", b"OggS\x00\x02" + bytes(20) + b"\x01\x1e", b"fLaC\x00\x00\x00\x22", b"\xff\xf8\x69\x18", b"\xff\xf9",
    b"\xff\xd8\xff\xe0\x00\x04JF", b"\xff\xda\x00\x02", b"\xff\xd9", b"\xff\x01", b"\xff\xff", b"\xff\xe1\xff\xff", b"\xff\xd0",
    b"\x89PNG\r\n\x1a\n", b"\x00\x00\x00\x00IDAT\x00\x00\x00\x00", b"\x00\x00\x00\x00IEND\xae\x42\x60\x82", b"\xff\xff\xff\xffIDAT",
    b"GIF89a", b"GIF87a\x01\x00\x01\x00\x80\x00\x00", b"!\xf9\x04", b",", b";", b"\x00", b"BM", b"BM\x00\x00\x00\x00\x00\x00\x00\x00",
    bytes(64), b"\xff" * 64, b"\x01", b"\x80",
)  # fmt: skip
ENDLESS = 1 << 40
MOST_STEPS = 300
"""Instead of the real bounds, which take a fifth of a second to reach."""
MOST_LOOKS = 3 * MOST_STEPS
MOST_BYTES = 1 << 30
WINDOW = 4096


class Pieces(Source):
    """Bytes as a file, the last of them repeated without an end where `again` says from where on."""

    def __init__(self, data: bytes, again: int | None) -> None:
        self._data = data
        self._again = again
        self.looks = self.bytes = 0
        self.size = len(data) if again is None else ENDLESS

    def at(self, offset: int, count: int) -> bytes:
        assert offset >= 0, "it looks before the beginning"
        assert count >= 0
        self.looks += 1
        assert self.looks <= MOST_LOOKS, "it looks too often"
        found = self._data[offset : offset + count]
        if self._again is not None and len(found) < count:
            found += self._repeated(offset + len(found), count - len(found))
        self.bytes += len(found)
        assert self.bytes <= MOST_BYTES, "it reads too much"
        return found

    def _repeated(self, offset: int, count: int) -> bytes:
        part = self._data[self._again :]
        at = (offset - len(self._data)) % len(part)
        return (part * (count // len(part) + 2))[at : at + count]


for _room, _name in ((containers, "_STEPS"), (pictures, "_STEPS"), (pictures, "_GIF_STEPS"), (sounds, "_MOST_HEADS")):
    assert isinstance(getattr(_room, _name), int)
    setattr(_room, _name, MOST_STEPS)
pictures._WINDOW = WINDOW
pictures._LARGEST = WINDOW * MOST_STEPS
sounds._TAIL_BYTES = WINDOW


def one(data: bytes) -> None:
    """Judge it."""
    mode, rest = (data[0], data[1:]) if data else (0, b"")
    again = (mode * len(rest)) // 256 if mode and rest else None
    source = Pieces(rest, again)
    verdict = containers.judge(source)
    assert verdict.kind in {"", "video", "audio", "image"}
    assert len(verdict.cut) < 200
    assert verdict.cut.isprintable()
    source.looks = source.bytes = 0
    source.ends_in_zeros()
