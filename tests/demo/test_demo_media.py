"""The demo's media are what their names say, play, and stay small."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import av
import pytest

from qavix_watch import demo

TOOL = Path(__file__).parents[2] / "tools" / "make_demo_media.py"


def opened(name: str, folder: bytes | None = None) -> av.container.InputContainer:
    path = os.path.join(folder, name.encode()) if folder else demo.media()[name]
    return av.open(os.fsdecode(path))


def loudest(container: av.container.InputContainer) -> int:
    resampler = av.AudioResampler(format="s16", layout="mono")
    frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    return max(max(memoryview(bytes(frame.planes[0])).cast("h")) for frame in frames)


def test_every_file_is_there_under_an_absolute_path_and_nothing_else_is():
    paths = demo.media()
    assert set(paths) == set(demo.NAMES)
    assert all(os.path.isabs(path) and os.path.isfile(path) for path in paths.values())
    assert {os.fsdecode(name) for name in os.listdir(os.path.dirname(paths["hello.mp4"]))} == set(demo.NAMES)


def test_they_are_small():
    sizes = {name: os.path.getsize(path) for name, path in demo.media().items()}
    assert sizes["hello.mp4"] <= 200_000
    assert sum(sizes.values()) <= 400_000


def test_the_clip_is_a_film_of_h264_and_aac_that_talks_and_moves():
    with opened("hello.mp4") as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        assert (video.width, video.height, video.pix_fmt) == (640, 360, "yuv420p")
        assert 4 <= container.duration / av.time_base <= 6
        pictures = [bytes(frame.planes[0]) for frame in container.decode(video=0)]
    assert len(pictures) == video.frames >= 100
    assert len(set(pictures)) == len(pictures)
    with opened("hello.mp4") as container:
        assert loudest(container) > 5000


def test_the_clip_has_its_index_in_front_so_that_it_plays_while_it_arrives():
    data = Path(os.fsdecode(demo.media()["hello.mp4"])).read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_the_voice_is_an_mp3_of_some_seconds_that_is_not_silent():
    with opened("voice.mp3") as container:
        assert container.streams.audio[0].codec_context.name.startswith("mp3")
        assert 4 <= container.duration / av.time_base <= 8
        assert not container.streams.video
        assert loudest(container) > 5000


def test_the_face_is_one_jpeg_picture():
    with opened("face.jpg") as container:
        (picture,) = container.decode(video=0)
        assert container.streams.video[0].codec_context.name == "mjpeg"
    assert (picture.width, picture.height) == (480, 480)


def test_the_text_is_plain_utf_8():
    text = Path(os.fsdecode(demo.media()["hello.txt"])).read_text(encoding="utf-8")
    assert text.startswith("Hello!")
    assert text.endswith("\n")


@pytest.fixture
def tool(monkeypatch):
    """The program that makes the media."""
    monkeypatch.syspath_prepend(str(TOOL.parent))
    import make_demo_media

    yield make_demo_media
    del sys.modules["make_demo_media"]


def test_the_program_that_made_them_works_where_no_synthesiser_is_installed(tool, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda _name: None)
    monkeypatch.setattr(tool, "VOICE", "La la la.")
    samples = tool.speak(tool.VOICE, "en-gb", 40)
    tool.make_voice(tmp_path / "voice.mp3", samples)
    tool.make_clip(tmp_path / "hello.mp4", samples)
    with opened("voice.mp3", os.fsencode(tmp_path)) as container:
        assert loudest(container) > 3000
    with opened("hello.mp4", os.fsencode(tmp_path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
