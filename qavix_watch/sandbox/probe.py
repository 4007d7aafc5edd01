"""What a stored file is: a video, a sound, a picture, or something else; read with PyAV."""

from __future__ import annotations

from dataclasses import dataclass

import av
import av.container


@dataclass(frozen=True, slots=True)
class Facts:
    """`kind` is "video", "audio", "image" or "other"; `seconds` is 0 where there is no length."""

    kind: str
    sound: bool
    seconds: float


_OTHER = Facts("other", sound=False, seconds=0.0)


def probe(path: str) -> Facts:
    """The facts of the file at `path`; whatever FFmpeg cannot open is "other"."""
    try:
        with av.open(path) as media:
            return _facts(media)
    except (av.FFmpegError, OSError, ValueError):
        return _OTHER


def _facts(media: av.container.InputContainer) -> Facts:
    seconds = _seconds(media)
    sound = bool(media.streams.audio)
    if media.format.name == "tty":
        return _OTHER  # FFmpeg draws any text as a film
    if _is_picture(media.format.name):
        return Facts("image", sound=False, seconds=0.0)
    if any(stream.codec_context.width for stream in media.streams.video) and not _only_cover_art(media):
        return Facts("video", sound, seconds)
    return Facts("audio", sound, seconds) if sound else _OTHER


def _seconds(media: av.container.InputContainer) -> float:
    if media.duration is not None and media.duration > 0:
        return media.duration / av.time_base
    lengths = [float(s.duration * s.time_base) for s in media.streams if s.duration and s.time_base]
    return max(lengths, default=0.0)


def _is_picture(format_name: str) -> bool:
    return format_name.endswith("_pipe") or format_name in {"image2", "ico", "gif", "apng", "bmp_pipe"}


def _only_cover_art(media: av.container.InputContainer) -> bool:
    """An MP3 with a cover has a video stream that is one picture."""
    return all(stream.disposition & av.stream.Disposition.attached_pic for stream in media.streams.video)
