"""What is never picked up, and why; and what a file is by its extension."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING

from qavix_watch.core.naming import display, split_name
from qavix_watch.core.tasks import MediaKind

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

DOWNLOADS = (
    ".part", ".parts", ".partial", ".crdownload", ".download", ".opdownload", ".unconfirmed", ".inprogress",
    ".unfinished", ".filepart", ".aria2", ".!qb", ".!ut", ".bc!", ".xltd", ".jdtmp",
)  # fmt: skip
_BESIDE = (*(suffix.encode() for suffix in DOWNLOADS), b".!qB", b".!uT")

_OWN = "Qavix Watch's own"
_DOWNLOAD = "a download or copy under way"
_LITTER = "litter of a NAS or an operating system"
_HIDDEN = "a hidden or private name"

_RULES: tuple[tuple[str, str], ...] = (
    *((pattern, _OWN) for pattern in (
        "qavix-read-me*.txt", "qavix-status.txt", "*.why.txt", "qavix.toml", "qavix.toml.txt", "*.voice.json",
        ".qavix-watch*",
    )),
    *((f"*{suffix}", _DOWNLOAD) for suffix in DOWNLOADS),
    *((pattern, _DOWNLOAD) for pattern in ("*.tmp", "*.temp", ".~tmp~")),
    *((pattern, _LITTER) for pattern in (
        "@eadir", "eadir", "#recycle", "@recycle", ".@__thumb", "$recycle.bin", "system volume information",
        "lost+found", ".snapshot", ".snapshots", ".zfs", ".grab", ".trash*", "__macosx", "._*", ".ds_store", "thumbs.db",
        "desktop.ini", ".smbdelete*", ".fuse_hidden*", ".nfs*", ".st*", "_unpack_*", "_failed_*", "*-tdarrcachefile-*",
    )),
    *((f"{first}*", _HIDDEN) for first in (".", "~", "@", "#")),
)  # fmt: skip
_RSYNC = re.compile(r"\..+\.[a-z0-9]{6}")

_VIDEO = (
    "3g2 3gp asf avi divx dv f4v flv m2ts m2v m4v mkv mov mp4 mpe mpeg mpg mts mxf ogm ogv rm rmvb ts vob webm wmv"
)
_AUDIO = "aac ac3 aif aifc aiff amr caf eac3 flac m4a m4b mka mp2 mp3 mpga oga ogg opus wav wma"
_IMAGE = "avif bmp heic heif jfif jpe jpeg jpg png tif tiff webp"


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


@dataclass(frozen=True)
class Extensions:
    """Which extensions are which kind of media; with or without a dot, in any case."""

    video: frozenset[str] = _set(_VIDEO)
    audio: frozenset[str] = _set(_AUDIO)
    image: frozenset[str] = _set(_IMAGE)
    text: frozenset[str] = frozenset({"txt"})

    def __post_init__(self) -> None:
        for field in fields(self):
            plain: Iterable[str] = getattr(self, field.name)
            object.__setattr__(self, field.name, frozenset(item.lower().lstrip(".") for item in plain))


_IMAGES = Extensions().image

DOCUMENTS = _set("doc docx epub htm html key md odp ods odt pages pdf ppt pptx rtf tex xls xlsx")
"""What people take for text: worth a word where a `.txt` is expected."""

_COMPANIONS = _set("ass cue idx json log lrc m3u m3u8 md5 nfo nzb par2 sfv sha1 smi srr srt ssa sub sup torrent url vtt xml")
_PICTURES = re.compile(
    r"(?:.*[-_.])?(?:poster|fanart|banner|cover|folder|thumb|landscape|logo|clearlogo|clearart|disc|discart|backdrop"
    r"|keyart|art|albumart|season\d*(?:-.*)?)\d*"
)


def rule_against(name: bytes, *, is_dir: bool = False, patterns: Sequence[str] = ()) -> str | None:
    """The rule that ignores a name, as a sentence for people, or None. Case does not matter.

    `patterns` are the user's own globs (`[watch] ignore`). Only the name is looked at: empty files, links and devices
    are for whoever can look at the file.
    """
    lower = name.decode("utf-8", "surrogateescape").lower()
    if _may_be_ruled_out(lower):
        for rule, pattern, why in _compiled():
            if rule.fullmatch(lower):
                noun = "folder" if is_dir else "file"
                return f"“{display(name)}” is {why} ({pattern}); such a {noun} is never picked up"
    for pattern in patterns:
        if _glob(pattern.lower()).fullmatch(lower):
            return f"“{display(name)}” is ignored by the pattern “{pattern}” in `[watch] ignore`"
    return None


_EXACT = frozenset(pattern for pattern, _ in _RULES if "*" not in pattern)
_BEGINS = tuple(pattern.partition("*")[0] for pattern, _ in _RULES if "*" in pattern and pattern[0] != "*")
_ENDS = tuple(pattern[1:] for pattern, _ in _RULES if pattern[0] == "*" and pattern[-1] != "*")
_HOLDS = tuple(pattern[1:-1] for pattern, _ in _RULES if pattern[0] == "*" and pattern[-1] == "*")


def _may_be_ruled_out(lower: str) -> bool:
    """A cheap look that lets nearly every name pass: a scan asks it of each of 100,000 files."""
    known = lower in _EXACT or lower.startswith(_BEGINS) or lower.endswith(_ENDS)
    return known or any(part in lower for part in _HOLDS)


@lru_cache(maxsize=1)
def _compiled() -> tuple[tuple[re.Pattern[str], str, str], ...]:
    globs = [(_glob(pattern), pattern, why) for pattern, why in _RULES]
    return (*globs[:-4], (_RSYNC, ".name.XXXXXX of rsync", _DOWNLOAD), *globs[-4:])  # the last four: hidden names


@lru_cache(maxsize=1024)
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern))


def shadowed(name: bytes, siblings: Container[bytes]) -> str | None:
    """Why a file waits beside its own download (`X` beside `X.part`), or None."""
    for suffix in _BESIDE:
        if name + suffix in siblings:
            return f"“{display(name + suffix)}” lies beside it: the download is still under way"
    return None


def extension_of(name: bytes) -> str:
    """The extension, lower case, without its dot; "" where there is none."""
    return split_name(name)[1][1:].decode("ascii", "replace").lower()


def media_kind(name: bytes, extensions: Extensions) -> MediaKind | None:
    """What a file is by its extension, or None for what is no media."""
    extension = extension_of(name)
    if extension:
        for kind, plain in _KINDS:
            if extension in getattr(extensions, plain):
                return kind
    return None


_KINDS = tuple((kind, kind.value) for kind in MediaKind)


def is_document(name: bytes) -> bool:
    """Whether it is text that only a word processor reads: worth a line in the READ-ME where a `.txt` is wanted."""
    return extension_of(name) in DOCUMENTS


def is_companion(name: bytes) -> bool:
    """Whether it lies beside media as a matter of course: `.nfo`, posters, subtitles, checksums."""
    extension = extension_of(name)
    if extension in _COMPANIONS:
        return True
    stem = split_name(name)[0].decode("utf-8", "replace").lower()
    return extension in _IMAGES and _PICTURES.fullmatch(stem) is not None
