"""Names for filesystems that refuse some (vfat, exFAT, CIFS), and extensions for results: both from a closed list."""

from __future__ import annotations

import re

from qavix_watch.core.naming import LONGEST_NAME, split_name
from qavix_watch.core.text import shorten

_REFUSED = frozenset(b':"*?<>|\\') | frozenset(range(32)) | {0x7F}
_DEVICES = re.compile(rb"(?i)(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?=\.|$)")
_HALF_ESCAPE = re.compile(rb"%[0-9A-F]?$")

_EXTENSIONS: dict[str, frozenset[str]] = {
    "video": frozenset({"mp4", "mov", "mkv", "webm", "m4v", "avi"}),
    "audio": frozenset({"mp3", "wav", "m4a", "aac", "flac", "ogg", "opus"}),
    "subtitle": frozenset({"srt", "vtt", "ass"}),
    "voice": frozenset({"json"}),
}
_OTHER = frozenset({"jpg", "jpeg", "png", "webp", "gif", "txt"}).union(*_EXTENSIONS.values())  # for kinds that the reference does not know
_FALLBACK = {"video": "mp4", "audio": "mp3", "subtitle": "srt", "voice": "json"}
_CONTENT_TYPES = {
    "video/mp4": "mp4", "video/quicktime": "mov", "video/x-matroska": "mkv", "video/matroska": "mkv",
    "video/webm": "webm", "video/x-m4v": "m4v", "video/x-msvideo": "avi", "video/avi": "avi",
    "audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/wav": "wav", "audio/x-wav": "wav", "audio/wave": "wav",
    "audio/vnd.wave": "wav", "audio/mp4": "m4a", "audio/x-m4a": "m4a", "audio/aac": "aac", "audio/flac": "flac",
    "audio/x-flac": "flac", "audio/ogg": "ogg", "audio/opus": "opus",
    "application/x-subrip": "srt", "text/srt": "srt", "text/x-srt": "srt", "application/srt": "srt",
    "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/gif": "gif", "text/plain": "txt",
    "text/vtt": "vtt", "text/x-ssa": "ass", "text/x-ass": "ass",
}  # fmt: skip
_SRT = re.compile(rb"\s*\d+[ \t]*\r?\n\s*\d{1,2}:\d\d:\d\d[,.]\d{1,3}[ \t]*-->")
_SIGNS: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), extension)
    for pattern, extension in (
        (rb".{4}ftypqt  ", "mov"),
        (rb".{4}ftypM4A", "m4a"),
        (rb".{4}ftypM4V", "m4v"),
        (rb".{4}ftyp", "mp4"),
        (rb"\x1a\x45\xdf\xa3.{0,64}webm", "webm"),
        (rb"\x1a\x45\xdf\xa3", "mkv"),
        (rb"RIFF.{4}WAVE", "wav"),
        (rb"RIFF.{4}AVI ", "avi"),
        (rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]", "mp3"),
        (rb"\xff[\xf0\xf1\xf8\xf9]", "aac"),
        (rb"OggS.{24,32}OpusHead", "opus"),
        (rb"OggS", "ogg"),
        (rb"fLaC", "flac"),
        (rb"(?:\xef\xbb\xbf)?WEBVTT", "vtt"),
        (rb"(?:\xef\xbb\xbf)?\s*\[Script Info\]", "ass"),
        (rb"(?:\xef\xbb\xbf)?" + _SRT.pattern, "srt"),
    )
)


def escape_refused(name: bytes) -> bytes:
    """The name with all that a filesystem of Windows refuses as `%XX`: characters, no UTF-8, end, device names."""
    escaped = b"".join(_escape_character(char) for char in name.decode("utf-8", "surrogateescape"))
    if escaped[-1:] in (b".", b" "):
        escaped = escaped[:-1] + f"%{escaped[-1]:02X}".encode()
    if _DEVICES.match(escaped):
        escaped = f"%{escaped[0]:02X}".encode() + escaped[1:]
    if len(escaped) <= LONGEST_NAME:
        return escaped
    stem, suffix = split_name(escaped)
    return (_HALF_ESCAPE.sub(b"", shorten(stem, LONGEST_NAME - len(suffix))).rstrip(b" .") or b"_") + suffix


def _escape_character(char: str) -> bytes:
    encoded = char.encode("utf-8", "surrogateescape")
    if (len(encoded) == 1 and encoded[0] in _REFUSED) or "\udc80" <= char <= "\udcff":
        return b"".join(f"%{byte:02X}".encode() for byte in encoded)
    return encoded


def extension_for(url: str, content_type: str | None, head: bytes, kind: str) -> str:
    """The extension of a result, without a dot: from the URL's suffix, else the Content-Type, else the first bytes.

    Only extensions of a closed list for the kind are ever returned, whatever the service says; `bin` for a kind that the
    reference does not know, of which nothing else can be said.
    """
    from_url = re.split(r"[?#]", url, maxsplit=1)[0].rpartition("/")[2].rpartition(".")[2].lower()
    from_type = _CONTENT_TYPES.get((content_type or "").partition(";")[0].strip().lower(), "")
    known = _EXTENSIONS.get(kind, _OTHER)
    return next((guess for guess in (from_url, from_type, _sniff(head)) if guess in known), _FALLBACK.get(kind, "bin"))


def _sniff(head: bytes) -> str:
    return next((extension for sign, extension in _SIGNS if sign.match(head)), "")
