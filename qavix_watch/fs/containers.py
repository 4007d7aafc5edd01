"""Whether a container was cut short, from its own structure, and in words that a person can use.

MediaInfo says of most containers that they are cut, but not where, and not of pictures; it sees no zeros where data
should be. Hostile bytes: used only inside the media child (law 11). Every walk is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qavix_watch.fs import pictures, sounds

if TYPE_CHECKING:
    from collections.abc import Callable

    from qavix_watch.fs.source import Source

_STEPS = 200_000
_HEAD_BYTES = 4096
_TAIL_BYTES = 128 * 1024  # an Ogg page has at most 65,307 bytes
_MP4_STARTS = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"moof"})
_MP4_BOXES = _MP4_STARTS | {b"meta", b"uuid", b"sidx", b"mfra", b"emsg", b"udta"}
_MP4_BRANDS = {b"M4A ": "audio", b"M4B ": "audio", b"heic": "image", b"mif1": "image", b"avif": "image"}
_UNKNOWN_RIFF = frozenset({0, 0xFFFFFFFF})
_EBML_SEGMENT = 0x18538067
_EBML_CLUSTER = 0x1F43B675


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the structure says. `kind` is what such a container usually holds; `cut` is "" or the sentence.

    `open_end`: written without knowing its length, or with something appended, so that its end says nothing.
    `media_last`: it ends in media data, where a run of zeros is no padding.
    """

    kind: str = ""
    cut: str = ""
    open_end: bool = False
    media_last: bool = False


def judge(source: Source) -> Verdict:
    """Look at the structure of a file; an empty verdict for what is not known here."""
    head = source.at(0, _HEAD_BYTES)
    if head and not any(head):
        return Verdict(cut="The file begins with zeros: its content has not arrived.")
    if len(head) < 12:
        return Verdict(cut=_stub(head))
    for knows, look in _KINDS:
        if knows(head):
            return look(source)
    return Verdict()


def _stub(head: bytes) -> str:
    known = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF", b"\x1aE\xdf\xa3", b"GIF8", b"OggS", b"fLaC")
    begun = any(start.startswith(head[: len(start)]) for start in known) or head[4:8] in _MP4_STARTS
    begun = begun or (len(head) < 8 and head[:1] == b"\0")
    return f"The file ends after {len(head)} bytes." if head and begun else ""


def ends_inside(source: Source, expected: int) -> str:
    """The sentence for a file that should have `expected` bytes and has fewer."""
    return f"The file has {source.size:,} bytes and should have at least {expected:,}."


# MP4, MOV, M4A, HEIF (ISO/IEC 14496-12)


def _judge_boxes(source: Source) -> Verdict:
    kind = _MP4_BRANDS.get(source.at(8, 4), "video")
    at, seen, last = 0, set[bytes](), b""
    for _ in range(_STEPS):
        if at >= source.size:
            break
        size, last = _box(source, at)
        if not last.strip(b"\0"):
            break  # zeros: padding after a whole file, or what has not arrived; what was seen so far tells
        if at + size > source.size:
            appended = last not in _MP4_BOXES and not _boxes_missing(seen)
            return Verdict(kind, "" if appended else ends_inside(source, at + size), open_end=appended)
        seen.add(last)
        at += size
    return Verdict(kind, _boxes_missing(seen), media_last=last == b"mdat")


def _box(source: Source, at: int) -> tuple[int, bytes]:
    """Size and type of the box at `at`; type b"" where there is none."""
    head = source.at(at, 16)
    size, kind = int.from_bytes(head[:4], "big"), head[4:8]
    if size == 0 and kind.strip(b"\0"):
        return source.size - at, kind
    if size == 1:
        size = int.from_bytes(head[8:16], "big") if len(head) == 16 else 16
    return (size, kind) if size >= 8 else (0, b"")


def _boxes_missing(seen: set[bytes]) -> str:
    if seen & {b"moof", b"meta"}:
        return ""  # fragments may come without an index; HEIF pictures have another one
    if b"moov" not in seen:
        return "The index of the file (moov) is missing: the file ends before it."
    return "" if b"mdat" in seen else "Nothing follows the index of the file (moov): picture and sound are missing."


# Matroska, WebM (RFC 9559, RFC 8794)


def _judge_ebml(source: Source) -> Verdict:
    at, last, streamed, entered = 0, 0, False, False
    for _ in range(_STEPS):
        if at >= source.size:
            break
        number, length, begin = _element(source, at)
        if number == 0:
            return Verdict("video", _ebml_zeros(source, at))
        if length is not None and begin + length > source.size:
            return Verdict("video", ends_inside(source, begin + length))
        last, streamed, entered = number, streamed or length is None, entered or number == _EBML_SEGMENT
        at = begin if number == _EBML_SEGMENT or length is None else begin + length
    if not entered:
        return Verdict("video", "The file ends after its header: picture and sound are missing.")
    return Verdict("video", open_end=streamed, media_last=last == _EBML_CLUSTER)


def _ebml_zeros(source: Source, at: int) -> str:
    """No element can begin with a zero byte; anything else that is none is somebody's addition."""
    return "" if any(source.at(at, _HEAD_BYTES)) else f"From byte {at:,} on there are zeros where content should be."


def _element(source: Source, at: int) -> tuple[int, int | None, int]:
    """Id, length (None: not known) and first byte of what it holds; id 0 where there is no element."""
    head = source.at(at, 16)
    if not head or not head[0]:
        return 0, 0, at
    width = 9 - head[0].bit_length()
    number = int.from_bytes(head[:width], "big")
    if len(head) <= width:
        return number, 1, at + width  # cut before its size
    size_width = 9 - head[width].bit_length()
    if width > 4 or size_width > 8:
        return 0, 0, at
    if len(head) < width + size_width:
        return number, 1, at + width + size_width  # cut inside its size
    field = int.from_bytes(head[width : width + size_width], "big") & ((1 << 7 * size_width) - 1)
    unknown = field == (1 << 7 * size_width) - 1
    return number, None if unknown else field, at + width + size_width


# WAV, AVI, WebP


def _judge_riff(source: Source) -> Verdict:
    form = source.at(8, 4)
    kind = {b"WAVE": "audio", b"WEBP": "image"}.get(form, "video")
    at = 0
    for _ in range(_STEPS):
        head = source.at(at, 28)
        if head[:4] not in {b"RIFF", b"RF64", b"BW64"}:
            break  # the end, or something that was appended
        size = int.from_bytes(head[4:8], "little")
        if head[:4] != b"RIFF" and head[12:16] == b"ds64":
            size = int.from_bytes(head[20:28], "little")
        if size in _UNKNOWN_RIFF:
            return Verdict(kind, open_end=True)
        at += 8 + size
        if at > source.size + (0 if form == b"WEBP" else 8):  # some writers of sound count the first eight bytes too
            return Verdict(kind, ends_inside(source, at))
        at += at & 1
    return Verdict(kind)


# Ogg (RFC 3533)


def _judge_ogg(source: Source) -> Verdict:
    begin = max(0, source.size - _TAIL_BYTES)
    tail = source.at(begin, _TAIL_BYTES)
    page = tail.rfind(b"OggS")
    header = tail[page : page + 27] if page >= 0 else b""
    segments = tail[page + 27 : page + 27 + header[26]] if len(header) == 27 else b""
    if page >= 0 and (len(header) < 27 or len(segments) < header[26]):
        return Verdict("audio", ends_inside(source, begin + page + 28))
    end = begin + page + 27 + len(segments) + sum(segments)
    return Verdict("audio", ends_inside(source, end) if page >= 0 and end > source.size else "")


def _judge_flac(source: Source) -> Verdict:
    whole = sounds.flac_is_whole(source)
    return Verdict("audio", "" if whole else "The file holds fewer samples than its head promises: its end is missing.")


def _picture(is_whole: Callable[[Source], bool], end: str) -> Callable[[Source], Verdict]:
    def look(source: Source) -> Verdict:
        return Verdict("image", "" if is_whole(source) else f"The picture has no end ({end} is missing).")

    return look


def _starts(*heads: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(heads)


_KINDS: tuple[tuple[Callable[[bytes], bool], Callable[[Source], Verdict]], ...] = (
    (lambda head: head[4:8] in _MP4_STARTS, _judge_boxes),
    (_starts(b"\x1aE\xdf\xa3"), _judge_ebml),
    (_starts(b"RIFF", b"RF64", b"BW64"), _judge_riff),
    (_starts(b"OggS"), _judge_ogg),
    (_starts(b"fLaC"), _judge_flac),
    (_starts(b"\xff\xd8\xff"), _picture(pictures.jpeg_is_whole, "its EOI marker")),
    (_starts(b"\x89PNG\r\n\x1a\n"), _picture(pictures.png_is_whole, "its IEND chunk")),
    (_starts(b"GIF87a", b"GIF89a"), _picture(pictures.gif_is_whole, "its trailer")),
    (lambda head: head[:2] == b"BM" and head[6:10] == bytes(4), _picture(pictures.bmp_is_whole, "part of its pixels")),
)
