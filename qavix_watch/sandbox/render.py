"""Makes the results of a task: real media, the same for the same work, different for every other."""

from __future__ import annotations

import functools
import hashlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import av
import av.container
import av.stream
import langcodes

from qavix_watch.sandbox import sounds, subtitles
from qavix_watch.sandbox.films import Recipe, Timed, Track, make_film, stop_if, with_decode_times
from qavix_watch.sandbox.prices import speech_seconds

if TYPE_CHECKING:
    from qavix_watch.sandbox.probe import Facts


_PIECE_BYTES = 1024 * 1024


class InputError(Exception):
    """An input is not what the task needs; the text becomes the task's error_message."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a task asks for.

    `inputs` maps url fields to paths, `facts` to what lies there; `digest` (hex) names this work and nothing else.
    """

    task_type: str
    digest: str
    target: str | None
    inputs: dict[str, str]
    facts: dict[str, Facts] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)


def render(work: Work, directory: str, stop: threading.Event) -> dict[str, dict[str, Any]]:
    """Output field → file name in `directory`, SHA-256 and size. Raises InputError."""
    stem = os.path.join(directory, work.digest)
    try:
        made = _MAKERS[work.task_type](work, stem, stop)
    except av.FFmpegError as error:
        raise InputError(f"the input could not be processed: {error.strerror}") from None
    return {name: _described(path, stop) for name, path in made.items()}


def _described(path: str, stop: threading.Event) -> dict[str, Any]:
    sha256 = hashlib.sha256()
    with open(path, "rb", buffering=0) as result:
        while piece := result.read(_PIECE_BYTES):
            stop_if(stop)
            sha256.update(piece)
    return {"file": os.path.basename(path), "sha256": sha256.hexdigest(), "size": os.path.getsize(path)}


def _film_facts(work: Work) -> Facts:
    facts = work.facts["video_url"]
    if facts.kind != "video":
        raise InputError("video_url is not a video that can be read")
    return facts


def _metadata(work: Work) -> dict[str, str]:
    return {"comment": f"Qavix sandbox: {work.task_type}", "description": work.digest}


def _dub(work: Work, stem: str, stop: threading.Event) -> dict[str, str]:
    facts = _film_facts(work)
    pitch = sounds.pitch_of(work.digest)
    speech = Track(
        open=functools.partial(_open_sound, language=work.target),
        packets=lambda _: sounds.packets("aac", pitch, facts.seconds),
    )
    recipe = Recipe(work.inputs["video_url"], keep_sound=False, tracks=(speech,), metadata=_metadata(work))
    return {"video_url": make_film(recipe, stem, stop)}


def _open_sound(out: av.container.OutputContainer, _: str, *, language: str | None) -> av.stream.Stream:
    stream = out.add_stream("aac", rate=sounds.RATE)
    stream.codec_context.layout = "mono"
    stream.metadata["language"] = _alpha3(language)
    return stream


def _alpha3(language: str | None) -> str:
    try:
        return langcodes.Language.get(language or "und").to_alpha3()
    except (LookupError, ValueError):
        return "und"


def _subtitle(work: Work, stem: str, stop: threading.Event) -> dict[str, str]:
    facts = _film_facts(work)
    language = work.target or "und"
    path = f"{stem}.srt"
    with open(path, "w", encoding="utf-8") as srt:
        srt.write(subtitles.srt(language, facts.seconds))
    if not work.params.get("embed_subtitle"):
        return {"subtitle_url": path}
    track = Track(
        open=functools.partial(_open_subtitles, language=language),
        packets=lambda container: subtitles.packets(language, facts.seconds, _subtitle_codec(container)),
    )
    recipe = Recipe(work.inputs["video_url"], keep_sound=True, tracks=(track,), metadata=_metadata(work))
    return {"video_url": make_film(recipe, stem, stop), "subtitle_url": path}


def _subtitle_codec(container: str) -> str:
    return "mov_text" if container == "mp4" else "srt"


def _open_subtitles(out: av.container.OutputContainer, container: str, *, language: str) -> av.stream.Stream:
    stream = out.add_stream("mov_text" if _subtitle_codec(container) == "mov_text" else "srt")
    stream.codec_context.subtitle_header = subtitles.ASS_HEADER
    stream.metadata["language"] = _alpha3(language)
    return stream


def _retouch(work: Work, stem: str, stop: threading.Event) -> dict[str, str]:
    """Smart Eraser and Face Swap: the picture goes through unchanged, the metadata tell what was asked."""
    _film_facts(work)
    if "image_url" in work.inputs and work.facts["image_url"].kind != "image":
        raise InputError("image_url is not a picture that can be read")
    recipe = Recipe(work.inputs["video_url"], keep_sound=True, metadata=_metadata(work))
    return {"video_url": make_film(recipe, stem, stop)}


def _lip_sync(work: Work, stem: str, stop: threading.Event) -> dict[str, str]:
    _film_facts(work)
    audio = work.inputs["audio_url"]
    if not work.facts["audio_url"].sound:
        raise InputError("audio_url has no sound that can be read")
    with av.open(audio) as sound:
        track = Track(
            open=lambda out, _: out.add_stream_from_template(sound.streams.audio[0]),
            packets=lambda _: _sound_packets(audio),
        )
        recipe = Recipe(work.inputs["video_url"], keep_sound=False, tracks=(track,), metadata=_metadata(work))
        return {"video_url": make_film(recipe, stem, stop)}


def _sound_packets(path: str) -> Timed:
    with av.open(path) as sound:
        for packet in with_decode_times(sound.demux(sound.streams.audio[0])):
            yield float((packet.dts or 0) * packet.time_base), packet


def _speak(work: Work, stem: str, _: threading.Event) -> dict[str, str]:
    path = f"{stem}.mp3"
    sounds.write_speech(path, speech_seconds(work.params["text"]), sounds.pitch_of(work.digest), work.digest)
    return {"audio_url": path}


_Maker = Callable[[Work, str, threading.Event], dict[str, str]]
_MAKERS: dict[str, _Maker] = {
    "video_translation": _dub,
    "subtitle_translation": _subtitle,
    "smart_erasure": _retouch,
    "face_swap": _retouch,
    "lip_sync": _lip_sync,
    "text_to_speech": _speak,
}
