"""What people have and what they call it: orders, names, contents. Of each list the first is the plain one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from qavix_watch.core.grammar import read_order
from qavix_watch.core.tasks import MediaKind, TaskType
from tests.simulation.gifts import digest
from tests.simulation.volumes import PAGE
from tests.simulation.wares import Ware, make

if TYPE_CHECKING:
    from qavix_watch.core.tasks import TaskSpec
    from tests.simulation.person import Person

VOICE = "anna"
ORDERS = (
    "dub en to es", "dub en to es, fr", "subs en to fr", "erase", "tts voice=v-1", "clone voice", "subs en to fr embed=yes",
    "dub_en_to_es", "dub en to es (again)", "dub en to pt-BR hold=yes", "erase region=bottom", "dub en to de priority=high",
    "subtitles en to es,fr,de", "tts voice=Elena priority=low",
)
"""Of one input."""
PAIRS = ("face swap", "lip sync")
CLONES, CLONED = f"clone voice name={VOICE}", f"dub en to de voice={VOICE}"
"""An order that makes a voice, and one that speaks with it."""
WRONG = (("dubb en to es", "dub en to es"), ("translate en to fr", "subs en to fr"), ("New folder", "erase"), ("en-es", "dub en to es"))
"""Names that are no orders, and what their people meant."""
SUBFOLDERS = (b"", b"", b"season 1", "año 2/☃".encode())
STEMS = (
    b"clip", b"clip", "Ünïcödé ☃".encode(), b" film", b"not \xff\xfe utf-8", b"x" * 230, b"clip.es", b"Vol. 2", b"film - Copy", b"100% (1)",
)
VOICE_STEMS = (b"Mary", b"Peter")
"""Names that a voice can bear."""
SUFFIXES: dict[MediaKind, tuple[bytes, ...]] = {
    MediaKind.VIDEO: (b".mp4", b".mp4", b".mov", b".MKV", b".ts"),
    MediaKind.AUDIO: (b".wav", b".mp3"),
    MediaKind.IMAGE: (b".jpg", b".PNG"),
    MediaKind.TEXT: (b".txt",),
}
OPEN_ENDED = frozenset({b".ts", b".mp3", b".txt"})
"""Of such a file nobody can tell a piece from the whole."""
SIZES = (300, 80, 3000, PAGE + 100, 3 * PAGE - 7)
SECONDS = (12.0, 61.5, 300.0)
LITTER = (b"poster.nfo", b".hidden.mp4", b"holiday.mp4.part", b"~lock.mov", b"Thumbs.db", b"@eaDir/thumb.mp4", b"report.docx")
"""What lies about everywhere and is nobody's business."""


def spec_of(order: str) -> TaskSpec:
    """The row of the task table that an order is of."""
    return read_order(order, [None]).spec


def ware(person: Person, kind: MediaKind, suffix: bytes) -> Ware:
    """A content that nobody has had before."""
    salt = f"number {len(person.record.contents) + 1} of {person.name}"
    shows = suffix.lower() not in OPEN_ENDED
    data = make(kind, person.one_of("length", SECONDS), salt, size=person.one_of("size", SIZES), shows=shows)
    if kind is MediaKind.TEXT and person.now_and_then("byte order mark", 4):
        data = b"\xef\xbb\xbf" + data
    return known(person, Ware(kind, data, shows))


def known(person: Person, made: Ware) -> Ware:
    """Write down that people have this: whole, it may be read."""
    person.record.contents[digest(made.data)] = made
    person.record.readable.add(digest(made.data))
    return made


def place_in(person: Person, order: str) -> bytes:
    """A folder in the inbox, of this order or below it."""
    return os.path.join(person.layout.in_inbox(order.encode()), person.one_of("sub-folder", SUBFOLDERS)).rstrip(b"/")


def name_for(person: Person, folder: bytes, spec: TaskSpec) -> bytes:
    """A free path in a folder, for a file of the kind that an order of this kind takes."""
    stem = person.one_of("name", VOICE_STEMS if spec.type is TaskType.VOICE_CLONE else STEMS)
    return person.free_name(folder, stem, person.one_of("suffix", SUFFIXES[spec.main]))


def ware_for(person: Person, path: bytes, kind: MediaKind) -> Ware:
    """A new content for a file of this name."""
    return ware(person, kind, suffix_of(path))


def suffix_of(path: bytes) -> bytes:
    """The last suffix of a path, with its dot."""
    return os.path.splitext(path)[1]


def mine(person: Person, order: str) -> str:
    """The same order in a folder that nobody else has: with a label."""
    return f"{order} ({person.name} {person.record.label()})"
