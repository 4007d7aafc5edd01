"""Real media for tests, made by PyAV and made once a session: a second call with the same wishes is a copy."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import av.audio
import av.video

if TYPE_CHECKING:
    from collections.abc import Callable

_RATE = 44_100
_FPS = 25
_VIDEO_CODECS = {".webm": "libvpx", ".avi": "mpeg4", ".gif": "gif"}
_AUDIO_CODECS = {".webm": "libopus", ".wav": "pcm_s16le", ".mp3": "libmp3lame", ".avi": "libmp3lame", ".flac": "flac"}
_AUDIO_CODECS |= {".ogg": "libopus", ".opus": "libopus", ".mka": "libopus", ".mov": "pcm_s16le"}
_IMAGE_CODECS = {".jpg": "mjpeg", ".jpeg": "mjpeg", ".png": "png", ".bmp": "bmp", ".webp": "libwebp", ".gif": "gif"}


def make_video(
    path: str | os.PathLike[str],
    *,
    seconds: float = 2.0,
    size: tuple[int, int] = (160, 120),
    audio: bool = True,
    faststart: bool = False,
    container: str = "",
    seed: int = 0,
) -> Path:
    """A moving picture with a tone. The kind follows `container` ("mp4", "mkv", "webm", "avi", "mov") or the path's
    suffix.

    `faststart` puts the index (moov) first; `seed` makes other content of the same shape.
    """
    suffix = _suffix(path, container)
    return _copied(path, _video, (seconds, size, audio, faststart, suffix, seed))


def make_audio(
    path: str | os.PathLike[str], *, seconds: float = 2.0, faststart: bool = False, container: str = "", seed: int = 0
) -> Path:
    """A tone: "wav", "mp3", "m4a", "flac", "ogg", "opus", "mov" (uncompressed)."""
    return _copied(path, _audio, (seconds, faststart, _suffix(path, container), seed))


def make_image(
    path: str | os.PathLike[str], *, size: tuple[int, int] = (160, 120), container: str = "", seed: int = 0
) -> Path:
    """A picture: "jpg", "png", "webp", "bmp", "gif"."""
    return _copied(path, _image, (size, _suffix(path, container), seed))


def _suffix(path: str | os.PathLike[str], container: str) -> str:
    return f".{container}" if container else Path(os.fsdecode(path)).suffix.lower()


def _copied(path: str | os.PathLike[str], make: Callable[..., Path], wishes: tuple[Any, ...]) -> Path:
    shutil.copyfile(make(*wishes), path)
    return Path(os.fsdecode(path))


@functools.cache
def _store() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="media-")


def _new(suffix: str) -> Path:
    handle, name = tempfile.mkstemp(suffix, dir=_store().name)
    os.close(handle)
    return Path(name)


def _options(faststart: bool) -> dict[str, str]:
    return {"movflags": "+faststart"} if faststart else {}


@functools.cache
def _video(seconds: float, size: tuple[int, int], audio: bool, faststart: bool, suffix: str, seed: int) -> Path:
    path = _new(suffix)
    with av.open(str(path), "w", options=_options(faststart)) as out:
        picture = _picture_stream(out, _VIDEO_CODECS.get(suffix, "libx264"), size)
        sound = _sound_stream(out, _AUDIO_CODECS.get(suffix, "aac")) if audio else None
        for number in range(max(1, round(seconds * _FPS))):
            frame = _frame(size, number, seed).reformat(format=picture.pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, _FPS)
            out.mux(picture.encode(frame))
        out.mux(picture.encode())
        if sound is not None:
            _sing(out, sound, seconds, seed)
    return path


@functools.cache
def _audio(seconds: float, faststart: bool, suffix: str, seed: int) -> Path:
    path = _new(suffix)
    with av.open(str(path), "w", options=_options(faststart)) as out:
        _sing(out, _sound_stream(out, _AUDIO_CODECS.get(suffix, "aac")), seconds, seed)
    return path


@functools.cache
def _image(size: tuple[int, int], suffix: str, seed: int) -> Path:
    path = _new(suffix)
    kind = {".webp": "webp", ".gif": "gif"}.get(suffix, "image2")
    with av.open(str(path), "w", format=kind, options={"update": "1"} if kind == "image2" else {}) as out:
        stream = _picture_stream(out, _IMAGE_CODECS[suffix], size)
        frame = _frame(size, 0, seed).reformat(format=stream.pix_fmt)
        frame.pts, frame.time_base = 0, Fraction(1, _FPS)
        out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def _picture_stream(out: Any, codec: str, size: tuple[int, int]) -> Any:
    formats = {"png": "rgb24", "mjpeg": "yuvj420p", "bmp": "bgr24", "gif": "rgb8"}
    stream = out.add_stream(codec, rate=_FPS)
    stream.width, stream.height = size
    stream.pix_fmt = formats.get(codec, "yuv420p")
    stream.time_base = Fraction(1, _FPS)
    return stream


def _sound_stream(out: Any, codec: str) -> Any:
    return out.add_stream(codec, rate=48_000 if codec == "libopus" else _RATE, layout="mono")


def _frame(size: tuple[int, int], number: int, seed: int) -> Any:
    width, height = size
    noise = bytes((x * 7 + number * 13 + seed * 101 + (x * x) // 97) & 0xFF for x in range(width * 3))
    frame = av.video.frame.VideoFrame(width, height, "rgb24")
    plane = frame.planes[0]
    twice, turn = noise * 2, len(noise)
    starts = (3 * (row + number) % turn for row in range(height))
    plane.update(b"".join(twice[start : start + turn].ljust(plane.line_size, b"\0") for start in starts))
    return frame


def _sing(out: Any, stream: Any, seconds: float, seed: int) -> None:
    """A sawtooth, which no codec turns into nothing."""
    rate = stream.rate
    block, total = 1024, round(seconds * rate)
    for start in range(0, total, block):
        samples = range(start, min(start + block, total))
        values = (sample * (31 + seed) % 16_384 - 8_192 for sample in samples)
        data = b"".join(value.to_bytes(2, "little", signed=True) for value in values)
        frame = av.audio.frame.AudioFrame(format="s16", layout="mono", samples=len(samples))
        frame.planes[0].update(data.ljust(frame.planes[0].buffer_size, b"\0"))
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        for ready in _resampled(stream, frame):
            out.mux(stream.encode(ready))
    out.mux(stream.encode())


def _resampled(stream: Any, frame: Any) -> list[Any]:
    wanted = stream.codec_context.format.name
    if wanted == "s16":
        return [frame]
    resampler = av.audio.resampler.AudioResampler(format=wanted, layout="mono", rate=stream.rate)
    return list(resampler.resample(frame))
