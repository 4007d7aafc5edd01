"""Which second input belongs to a video: the same stem, our own result of that stem, or a shared one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qavix_watch.core.ignore import media_kind
from qavix_watch.core.naming import display, split_name
from qavix_watch.core.tasks import MediaKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qavix_watch.core.ignore import Extensions

SHARED = {MediaKind.IMAGE: b"face", MediaKind.AUDIO: b"audio"}
NOUN = {MediaKind.IMAGE: "a picture", MediaKind.AUDIO: "a sound file"}
_EXAMPLE = {MediaKind.IMAGE: "jpg", MediaKind.AUDIO: "mp3"}


@dataclass(frozen=True, slots=True)
class Partner:
    """The partner's path, relative to the inbox; `shared` where it serves a whole folder."""

    path: bytes
    shared: bool


@dataclass(frozen=True, slots=True)
class NoPartner:
    """None, or too many; `why` says which."""

    why: str


def find(
    stem: bytes, kind: MediaKind, levels: Sequence[tuple[bytes, Iterable[bytes]]], extensions: Extensions
) -> Partner | NoPartner:
    """The partner of kind `kind` for a video with the stem `stem`.

    `levels`: each folder from the video's own up to its order's folder (paths relative to the inbox) with the names in it.
    """
    own, names = levels[0][0], list(levels[0][1])
    for fits in (_same_stem, _our_result):
        found = sorted(name for name in names if media_kind(name, extensions) is kind and fits(name, stem))
        if len(found) > 1:
            return NoPartner("two files could go with it: " + " and ".join(f"“{display(name)}”" for name in found) + "; take one away")
        if found:
            return Partner(_below(own, found[0]), shared=False)
    for folder, there in levels:
        found = sorted(name for name in there if media_kind(name, extensions) is kind and split_name(name)[0].lower() == SHARED[kind])
        if len(found) > 1:
            return NoPartner("two files could go with it: " + " and ".join(f"“{display(name)}”" for name in found) + "; take one away")
        if found:
            return Partner(_below(folder, found[0]), shared=True)
    suffix = _EXAMPLE[kind]
    return NoPartner(
        f"it waits for {NOUN[kind]}: put “{display(stem)}.{suffix}” beside it,"
        f" or one “{SHARED[kind].decode()}.{suffix}” for the whole folder"
    )


def _same_stem(name: bytes, stem: bytes) -> bool:
    return split_name(name)[0] == stem


def _our_result(name: bytes, stem: bytes) -> bool:
    """`clip.es.mp3`, the sound that an order made for `clip`: the stem and one language tag."""
    own = split_name(name)[0]
    tag = own[len(stem) + 1 :]
    return own.startswith(stem + b".") and bool(tag) and b"." not in tag and tag.replace(b"-", b"").isalnum()


def _below(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name
