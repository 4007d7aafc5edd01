"""Sounds that are quick to make: a speech-like phrase is encoded once and its packets are repeated for as long as it takes."""

from __future__ import annotations

import array
import functools
import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import av
import av.audio

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE = 16_000
_PHRASE_SECONDS = 2
_PITCHES = (98, 110, 123, 131, 147, 165, 185, 208)  # Hz; which one depends on the work, so that results differ audibly
_CODECS: dict[str, tuple[Literal["aac", "libmp3lame"], str, dict[str, str]]] = {
    "aac": ("aac", "fltp", {}),
    "mp3": ("libmp3lame", "fltp", {"reservoir": "0"}),
}


def pitch_of(digest: str) -> int:
    """A pitch that belongs to a piece of work, by its hex digest."""
    return _PITCHES[int(digest[:2], 16) % len(_PITCHES)]


@functools.lru_cache(maxsize=64)
def _phrase(codec: str, pitch: int) -> tuple[int, tuple[bytes, ...]]:
    """Samples in a packet, and the packets of one phrase."""
    encoder_name, sample_format, options = _CODECS[codec]
    encoder = av.CodecContext.create(encoder_name, "w")
    encoder.sample_rate, encoder.layout, encoder.format = RATE, "mono", sample_format
    encoder.bit_rate, encoder.time_base, encoder.options = 32_000, Fraction(1, RATE), dict(options)
    encoder.open()
    size = encoder.frame_size
    packets: list[bytes] = []
    for start in range(0, RATE * _PHRASE_SECONDS, size):
        packets += [bytes(packet) for packet in encoder.encode(_frame(start, size, pitch))]
    return size, tuple(packets[1:])  # the first one only primes the decoder


def _frame(start: int, size: int, pitch: int) -> av.AudioFrame:
    frame = av.AudioFrame(format="fltp", layout="mono", samples=size)
    frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
    samples = array.array("f", (_voice(moment / RATE, pitch) for moment in range(start, start + size)))
    frame.planes[0].update(samples.tobytes())
    return frame


def _voice(seconds: float, pitch: int) -> float:
    """A hum with an overtone, four syllables a second."""
    syllable = abs(math.sin(math.pi * 4 * seconds))
    angle = 2 * math.pi * pitch * seconds
    return 0.2 * syllable * (math.sin(angle) + 0.5 * math.sin(3 * angle))


def packets(codec: str, pitch: int, seconds: float) -> Iterator[tuple[float, av.Packet[Any]]]:
    """Packets of `seconds` of sound, each with the second at which it begins; `codec` is "aac" or "mp3"."""
    size, phrase = _phrase(codec, pitch)
    for number in range(max(1, math.ceil(seconds * RATE / size))):
        packet = av.Packet(phrase[number % len(phrase)])
        packet.pts = packet.dts = number * size
        packet.duration, packet.time_base = size, Fraction(1, RATE)
        yield number * size / RATE, packet


def write_speech(path: str, seconds: float, pitch: int, title: str) -> None:
    """An MP3 of that length at `path`."""
    with av.open(path, "w", format="mp3", container_options={"fflags": "+bitexact"}) as out:
        stream = out.add_stream("libmp3lame", rate=RATE)
        stream.codec_context.layout = "mono"
        out.metadata["title"] = title
        for _, packet in packets("mp3", pitch, seconds):
            packet.stream = stream
            out.mux(packet)
