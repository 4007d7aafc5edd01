"""A film's packets copied into a new container, with tracks added on the way; no frame is decoded, nothing is held in memory."""

from __future__ import annotations

import os
import shutil
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import av
import av.container
import av.stream

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

# A real result is about as large as its input. What repackaging drops of a large one (padding, other tracks) comes back as
# a free box, which takes no room on a disk that knows holes.
_LARGE_BYTES = 64 * 1024 * 1024
_KEPT = ("video", "audio")

Timed: TypeAlias = "Iterator[tuple[float, av.Packet[Any]]]"


class HaltedError(Exception):
    """The sandbox is closing; the film is made again after its next start."""


@dataclass(frozen=True, slots=True)
class Track:
    """A track to add: `open` makes its stream in a container of that format, `packets` gives what belongs into it."""

    open: Callable[[av.container.OutputContainer, str], av.stream.Stream]
    packets: Callable[[str], Timed]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is done to the film at `source`."""

    source: str
    keep_sound: bool
    tracks: tuple[Track, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)


def make_film(recipe: Recipe, stem: str, stop: threading.Event) -> str:
    """Writes `stem`.mp4 (.mkv where MP4 cannot hold the streams) and returns that path; as a last resort a copy with a free box."""
    for container, suffix in (("mp4", ".mp4"), ("matroska", ".mkv")):
        path = stem + suffix
        try:
            _repackage(recipe, path, container, stop)
        except (av.FFmpegError, ValueError):
            continue
        if container == "mp4":
            _fill_up(path, os.path.getsize(recipe.source))
        return path
    return _copy_with_box(recipe, stem + ".mp4")


def _repackage(recipe: Recipe, path: str, container: str, stop: threading.Event) -> None:
    options = {"fflags": "+bitexact"}
    with av.open(recipe.source) as film, av.open(path, "w", format=container, container_options=options) as out:
        kept = {s: out.add_stream_from_template(s) for s in _kept_streams(film, keep_sound=recipe.keep_sound)}
        added = [(track.open(out, container), track.packets(container)) for track in recipe.tracks]
        out.metadata.update(recipe.metadata)
        feeds = [_Feed(out, stream, timed) for stream, timed in added]
        for packet in with_decode_times(film.demux(*kept)):
            stop_if(stop)
            for feed in feeds:
                feed.up_to(float((packet.dts or 0) * packet.time_base))
            packet.stream = kept[packet.stream]
            out.mux(packet)
        for feed in feeds:
            feed.up_to(float("inf"))


def with_decode_times(packets: Iterator[av.Packet[Any]]) -> Iterator[av.Packet[Any]]:
    """The same packets, each with a decode time: Matroska has none for the first ones of a film with reordered frames.

    Empty packets, which only flush a decoder, are left out.
    """
    early: dict[int, list[av.Packet[Any]]] = {}
    last: dict[int, int] = {}
    for packet in packets:
        index = packet.stream_index
        if not packet.size:
            continue
        if packet.dts is None and index not in last:
            early.setdefault(index, []).append(packet)
            continue
        if packet.dts is None:
            packet.dts = last[index] + max(1, packet.duration or 0)
        yield from _backdated(early.pop(index, []), packet.dts)
        last[index] = packet.dts
        yield packet
    for waiting in early.values():
        yield from _backdated(waiting, len(waiting))


def _backdated(waiting: list[av.Packet[Any]], before: int) -> Iterator[av.Packet[Any]]:
    for number, packet in enumerate(waiting):
        packet.dts = before - (len(waiting) - number) * max(1, packet.duration or 0)
        yield packet


def _kept_streams(film: av.container.InputContainer, *, keep_sound: bool) -> list[av.stream.Stream]:
    """The picture, and its sound where it is kept; other tracks and cover art are left behind."""
    kinds = _KEPT if keep_sound else _KEPT[:1]
    cover = av.stream.Disposition.attached_pic
    return [s for s in film.streams if s.type in kinds and not s.disposition & cover]


def stop_if(stop: threading.Event) -> None:
    """Raises HaltedError once the sandbox is closing."""
    if stop.is_set():
        raise HaltedError


class _Feed:
    """Hands the packets of an added track over as the film reaches them, so that the muxer never piles any up."""

    def __init__(self, out: av.container.OutputContainer, stream: av.stream.Stream, timed: Timed) -> None:
        self._out = out
        self._stream = stream
        self._timed = timed
        self._next = next(timed, None)

    def up_to(self, seconds: float) -> None:
        while self._next is not None and self._next[0] <= seconds:
            packet = self._next[1]
            packet.stream = self._stream
            self._out.mux(packet)
            self._next = next(self._timed, None)


def _fill_up(path: str, size: int) -> None:
    short = size - os.path.getsize(path)
    if size >= _LARGE_BYTES and short >= 16:
        with open(path, "r+b") as film:
            film.seek(0, os.SEEK_END)
            film.write(struct.pack(">I4sQ", 1, b"free", short))
            film.truncate(size)


def _copy_with_box(recipe: Recipe, path: str) -> str:
    shutil.copyfile(recipe.source, path)
    note = repr(sorted(recipe.metadata.items())).encode()
    with open(path, "ab") as film:
        film.write(struct.pack(">I4s", 8 + len(note), b"free") + note)
    return path
