"""Results from films of every container, large and broken ones included."""

from __future__ import annotations

import itertools
import struct
import threading
import time
from typing import TYPE_CHECKING

import av
import pytest

from qavix_watch.sandbox.films import HaltedError
from qavix_watch.sandbox.probe import probe
from qavix_watch.sandbox.render import InputError, Work, render
from tests.support.media import make_audio, make_image, make_video

if TYPE_CHECKING:
    from pathlib import Path


def _dub(source: Path, directory: Path, digest: str = "ab12", stop: threading.Event | None = None) -> Path:
    facts = {"video_url": probe(str(source))}
    work = Work("video_translation", digest, "ja", {"video_url": str(source)}, facts)
    made = render(work, str(directory), stop or threading.Event())
    return directory / str(made["video_url"]["file"])


@pytest.mark.parametrize("container", ["mp4", "mov", "mkv", "webm", "avi"])
def test_a_film_of_every_container_can_be_dubbed(tmp_path: Path, container: str) -> None:
    made = _dub(make_video(tmp_path / f"film.{container}"), tmp_path)
    with av.open(str(made)) as film:
        assert sum(1 for _ in film.decode(video=0)) == 50
        assert film.streams.audio[0].metadata["language"] == "jpn"


def test_a_film_without_sound_gets_some(tmp_path: Path) -> None:
    with av.open(str(_dub(make_video(tmp_path / "silent.mp4", audio=False), tmp_path))) as film:
        assert len(film.streams.audio) == 1


def test_reordered_frames_keep_their_order_on_the_way_from_matroska(tmp_path: Path) -> None:
    """Its first packets come without a decode time; a player that starts there must not lose the key frame."""
    source = make_video(tmp_path / "film.mkv")
    with av.open(str(source)) as before, av.open(str(_dub(source, tmp_path))) as after:
        assert any(packet.dts is None and packet.size for packet in before.demux(video=0))
        packets = [packet for packet in after.demux(video=0) if packet.size]
        times = [packet.dts for packet in packets if packet.dts is not None]
        assert (len(times), times) == (50, sorted(set(times)))
        assert packets[0].is_keyframe


def test_tracks_are_interleaved_so_that_players_and_muxers_hold_little(tmp_path: Path) -> None:
    made = _dub(make_video(tmp_path / "film.mp4", seconds=6), tmp_path)
    with av.open(str(made)) as film:
        positions = [(packet.pos or 0, packet.stream.type) for packet in film.demux() if packet.size]
    kinds = [kind for _, kind in sorted(positions)]
    changes = sum(1 for one, two in itertools.pairwise(kinds) if one != two)
    assert changes > 6


def test_the_result_of_a_large_film_is_as_large_and_takes_little_room(tmp_path: Path) -> None:
    source = make_video(tmp_path / "film.mp4")
    size = 200 * 1024 * 1024
    with source.open("r+b") as film:
        film.seek(0, 2)
        film.write(struct.pack(">I4sQ", 1, b"free", size - film.tell()))
        film.truncate(size)
    made = _dub(source, tmp_path)
    assert made.stat().st_size == size
    assert made.stat().st_blocks * 512 < 10 * 1024 * 1024
    assert probe(str(made)).kind == "video"


def test_what_mp4_cannot_hold_goes_into_matroska(tmp_path: Path) -> None:
    path = make_video(tmp_path / "film.webm")  # VP8
    with av.open(str(_dub(path, tmp_path))) as film:
        assert "matroska" in film.format.name


def test_what_cannot_be_repackaged_is_copied_with_a_free_box(tmp_path: Path) -> None:
    """A film whose index was damaged after it was looked at."""
    source = make_video(tmp_path / "film.mp4")
    facts = probe(str(source))
    broken = source.read_bytes().replace(b"moov", b"moof")
    source.write_bytes(broken)
    work = Work("smart_erasure", "cd", None, {"video_url": str(source)}, {"video_url": facts})
    made = render(work, str(tmp_path), threading.Event())["video_url"]
    copy = (tmp_path / str(made["file"])).read_bytes()
    assert copy.startswith(broken)
    size, kind = struct.unpack(">I4s", copy[len(broken) : len(broken) + 8])
    assert (size, kind) == (len(copy) - len(broken), b"free")


def test_halting_ends_a_long_film_soon(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    began = time.monotonic()
    with pytest.raises(HaltedError):
        _dub(make_video(tmp_path / "film.mp4"), tmp_path, stop=stop)
    assert time.monotonic() - began < 2


def test_kinds_of_media_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("words " * 1000, encoding="utf-8")
    (tmp_path / "empty").write_bytes(b"\0" * 5000)
    made = {
        "video": make_video(tmp_path / "film.mp4"),
        "audio": make_audio(tmp_path / "voice.mp3"),
        "image": make_image(tmp_path / "face.png"),
    }
    assert {kind: probe(str(path)).kind for kind, path in made.items()} == {kind: kind for kind in made}
    assert [probe(str(tmp_path / name)).kind for name in ("words.txt", "empty")] == ["other", "other"]
    assert probe(str(made["video"])).seconds == pytest.approx(2, abs=0.2)


def test_a_film_that_is_cut_short_is_no_video(tmp_path: Path) -> None:
    source = make_video(tmp_path / "film.mp4")
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    with pytest.raises(InputError, match="video_url"):
        _dub(source, tmp_path)
