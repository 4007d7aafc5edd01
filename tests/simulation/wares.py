"""Small contents that say what they are, and the media facts that a reader finds in them.

A ware begins with a line that names its kind, its seconds and how many bytes it has in all, and closes with a mark, as an MP4 does with
its index. Some containers show that they are cut (MP4, WAV, JPEG); of others (transport streams, MP3) a piece is as good as the whole.
Text is only text.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qavix_watch.core.files import Facts
from qavix_watch.core.tasks import MediaKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from qavix_watch.ports import Files

MAGIC = b"QAVIX WARE "
SHOWING, OPEN_ENDED = b"shows", b"open"
_END = b"\nthe end.\n"
_HEAD = re.compile(rb"QAVIX WARE (video|audio|image) (\d{6}\.\d) (\d{7}) (shows|open) [^\n]*\n")
_MOST_BYTES = 1 << 20
_CONTAINERS = {"video": ("MPEG-4", "MPEG-TS"), "audio": ("Wave", "MPEG Audio"), "image": ("JPEG", "JPEG")}
SILENT, DEADLY = "silent", "deadly"
"""Salts of films that the service can do nothing with, and of files that end every program that looks into them."""
HEAD_BYTES = 64
"""No piece that people's programs write is smaller: what is shorter than its head is a stub in every container."""


def make(kind: MediaKind | str, seconds: float = 1.0, salt: object = "", *, size: int = 0, shows: bool = True) -> bytes:
    """A whole content of at least `size` bytes; another `salt` is another content. `shows`: its container tells where it is cut."""
    if kind == MediaKind.TEXT:
        return _filled(b"This is sentence %s.\n" % str(salt).encode(), size, b"Nothing else is said. ")
    mark = SHOWING if shows else OPEN_ENDED
    words = b"%b %08.1f %%07d %b %b\n" % (str(kind).encode(), seconds, mark, str(salt).encode())
    least = len(MAGIC) + len(words % 0) + len(_END)
    size = max(size, least, HEAD_BYTES + len(_END))
    return _filled(MAGIC + words % size, size - len(_END), b"~") + _END


@dataclass(frozen=True, slots=True)
class Ware:
    """A content that people have. `shows`: a piece of it can be told from the whole."""

    kind: MediaKind
    data: bytes
    shows: bool

    @property
    def text(self) -> str:
        """What is to be read of it."""
        return self.data.decode("utf-8-sig")


def _filled(head: bytes, size: int, filler: bytes) -> bytes:
    missing = max(0, size - len(head))
    return head + (filler * math.ceil(missing / len(filler)))[:missing]


def facts_of(data: bytes) -> Facts:
    """What a container of these bytes says of itself."""
    found = _HEAD.match(data)
    if found is None:
        return Facts("", cut=_stub(data))
    kind, container = found[1].decode(), _CONTAINERS[found[1].decode()][found[4] == OPEN_ENDED]
    duration = None if kind == "image" else float(found[2])
    cut = _cut(data, int(found[3])) if found[4] == SHOWING else ""
    width, height = (None, None) if kind == "audio" else (1280, 720)
    return Facts(kind, duration, container, cut, width, height, has_audio=kind != "image")


def _cut(data: bytes, whole: int) -> str:
    if len(data) < whole:
        return f"The file has {len(data):,} bytes and should have at least {whole:,}."
    return "" if data.endswith(_END) else "Its index is missing."


def _stub(data: bytes) -> str:
    """What is to be seen of a file of which no more than the beginning of its head has come."""
    if data and not any(data[:HEAD_BYTES]):
        return "The file begins with zeros: its content has not arrived."
    begun = MAGIC.startswith(data[: len(MAGIC)]) and b"\n" not in data[:HEAD_BYTES]
    return f"The file ends after {len(data)} bytes." if data and begun else ""


def has_salt(data: bytes, salt: str) -> bool:
    """Whether a content was made with a salt that begins so."""
    found = _HEAD.match(data)
    return found is not None and found[0].endswith(b"\n") and found[0].split(b" ")[6].startswith(salt.encode())


class SimulatedMedia:
    """`Media`: reads through the files of one program, so that faults and deaths come in. `dies` ends the program for a deadly file."""

    def __init__(self, files: Files, dies: Callable[[], None]) -> None:
        self._files = files
        self._dies = dies

    def facts(self, path: bytes) -> Facts:
        """As `fs.media` has it of the real thing. FileGone, FileUnreadable."""
        reader = self._files.open(path)
        try:
            data = reader.read(_MOST_BYTES)
        except Exception:
            reader.close()
            raise
        reader.close()
        if has_salt(data, DEADLY):
            self._dies()
        return facts_of(data)
