"""Names of results and how names are shown: bytes in, bytes out, never longer than a filesystem takes."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal, get_args

from qavix_watch.core.tasks import TaskType
from qavix_watch.core.text import legible, shorten

ResultKind = Literal["video", "subtitle", "audio", "voice"]
KNOWN_KINDS: frozenset[str] = frozenset(get_args(ResultKind))
"""Of results; one that a later version of the service adds has its own name in that of its file."""

LONGEST_NAME = 255  # bytes, on every filesystem that matters
TEMP_ROOM = 32  # bytes kept free for the prefix that a name bears while it is written
LONGEST_RESULT = LONGEST_NAME - TEMP_ROOM

_DONE = {TaskType.SMART_ERASURE: b"erased", TaskType.FACE_SWAP: b"swapped", TaskType.LIP_SYNC: b"synced"}
_SUFFIX = re.compile(rb"\.[A-Za-z0-9!_]{1,12}")
_TAGGED = re.compile(
    rb"(?: \(\d+\))?(?:\.[A-Za-z0-9]{2,5})?(?: \(\d+\))?"
    rb"(?:\.[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}(?:\.subbed)?|\.erased|\.swapped|\.synced)"
)


def split_name(name: bytes) -> tuple[bytes, bytes]:
    """Stem and suffix, the dot with the suffix: `clip.mov` is (`clip`, `.mov`); `.hidden` and `Vol. 2` have none."""
    at = name.rfind(b".")
    if at > 0 and _SUFFIX.fullmatch(name, at):
        return name[:at], name[at:]
    return name, b""


def result_name(
    stem: bytes,
    kind: str,
    task: TaskType,
    target: str | None,
    extension: str,
    *,
    number: int = 1,
    source_suffix: bytes | None = None,
) -> bytes:
    """The name of a result in the outbox: `clip.es.mp4`, `clip (2).es.srt`, `clip.mov.es.mp4`, `clip.es.subbed.mp4`.

    `extension` without a dot. `number` above 1 stands on the stem, the same for all results of a drop. `source_suffix`
    (`.mov`) is given where two sources of one folder share a stem. The stem is shortened where the whole would have more
    than 223 bytes.
    """
    parts = [_tags(kind, task, target), b"json" if kind == "voice" else extension.lstrip(".").encode()]
    tail = b"".join(b"." + part for part in parts if part)
    suffix = (f" ({number})".encode() if number > 1 else b"") + (source_suffix or b"") + tail
    return _shortened_stem(stem, LONGEST_RESULT - len(suffix)) + suffix


def _tags(kind: str, task: TaskType, target: str | None) -> bytes:
    if kind == "voice":
        return b"voice"
    if kind not in KNOWN_KINDS:
        return b".".join(filter(None, (_tags("audio", task, target), kind.encode())))
    if task is TaskType.TEXT_TO_SPEECH or (target is None and task not in _DONE):
        return b""
    if task in _DONE:
        return _DONE[task]
    burned_in = task is TaskType.SUBTITLE_TRANSLATION and kind == "video"
    return (target or "").encode() + (b".subbed" if burned_in else b"")


def _shortened_stem(stem: bytes, room: int) -> bytes:
    if len(stem) <= room:
        return stem
    return shorten(stem, room).rstrip(b" .") or shorten(stem, room)


def is_result_of(name: bytes, stem: bytes) -> bool:
    """Whether `name` is what a result of a source with that stem would be called (`clip.es.mp3` of `clip`)."""
    own, suffix = split_name(name)
    return bool(suffix) and own.startswith(stem) and _TAGGED.fullmatch(own, len(stem)) is not None


def numbered(name: bytes, number: int) -> bytes:
    """The name with a number on its stem (`clip (2).mov`), for what is moved; 1 leaves it as it is."""
    if number == 1:
        return name
    stem, suffix = split_name(name)
    suffix = f" ({number})".encode() + suffix
    return _shortened_stem(stem, LONGEST_NAME - len(suffix)) + suffix


def display(path: bytes) -> str:
    """A path for people: bytes that are no UTF-8 as U+FFFD, controls and what reverses text made visible."""
    text = path.decode("utf-8", "replace")
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(char: str) -> str:
    category = unicodedata.category(char)
    if char < " ":
        return chr(0x2400 + ord(char))  # the Control Pictures: a newline is shown as U+240A
    if category in ("Cc", "Cf", "Zl", "Zp") and char not in "\u200c\u200d":
        return f"\\u{ord(char):04x}"
    return char


def wire_name(name: bytes) -> str:
    """The name as valid UTF-8 text for the service, without controls."""
    return legible(name.decode("utf-8", "replace"))
