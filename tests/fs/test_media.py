"""Media facts of real files, whole and cut at many places; and a reader that survives what kills its children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qavix_watch.errors import FileError, FileGone, FileUnreadable, MediaError, Stopped
from qavix_watch.fs.media import MediaReader
from tests.support.media import make_audio, make_image, make_video

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qavix_watch.core.files import Facts
    from qavix_watch.ports import Media


@pytest.fixture(scope="module")
def reader() -> Iterator[MediaReader]:
    with MediaReader() as made:
        yield made


def facts_of(reader: MediaReader, path: Path, data: bytes) -> Facts:
    path.write_bytes(data)
    return reader.facts(os.fsencode(path))


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.01)


VIDEOS = ["mp4", "mov", "mkv", "webm", "avi"]
SOUNDS = ["wav", "mp3", "m4a", "flac", "ogg"]
PICTURES = ["jpg", "png", "webp", "bmp", "gif"]


def test_the_reader_fits_the_protocol_of_ports(reader: MediaReader) -> None:
    media: Media = reader
    with pytest.raises(FileGone):
        media.facts(b"/gone")


@pytest.mark.parametrize("kind", VIDEOS)
def test_facts_of_videos(reader: MediaReader, tmp_path: Path, kind: str) -> None:
    path = make_video(tmp_path / f"v.{kind}", seconds=2, size=(192, 108))
    facts = reader.facts(os.fsencode(path))
    assert (facts.kind, facts.width, facts.height, facts.has_audio, facts.cut) == ("video", 192, 108, True, "")
    assert facts.duration == pytest.approx(2, abs=0.1)
    assert facts.container


def test_a_silent_film_has_no_audio(reader: MediaReader, tmp_path: Path) -> None:
    facts = reader.facts(os.fsencode(make_video(tmp_path / "v.mp4", audio=False)))
    assert (facts.kind, facts.has_audio) == ("video", False)


@pytest.mark.parametrize("kind", SOUNDS)
def test_facts_of_sounds(reader: MediaReader, tmp_path: Path, kind: str) -> None:
    facts = reader.facts(os.fsencode(make_audio(tmp_path / f"s.{kind}", seconds=2)))
    assert (facts.kind, facts.has_audio, facts.width, facts.cut) == ("audio", True, None, "")
    assert facts.duration == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("kind", PICTURES)
def test_facts_of_pictures(reader: MediaReader, tmp_path: Path, kind: str) -> None:
    facts = reader.facts(os.fsencode(make_image(tmp_path / f"p.{kind}")))
    assert (facts.kind, facts.duration, facts.has_audio, facts.cut) == ("image", None, False, "")


@pytest.mark.parametrize(
    "data", [b"", b"x", b"\0", b"Hello, this is a text.\n", b"<html><body>404</body></html>", os.urandom(100_000)]
)
def test_what_is_no_media_has_no_kind(reader: MediaReader, tmp_path: Path, data: bytes) -> None:
    assert facts_of(reader, tmp_path / "x.mp4", data).kind == ""


def cut_points(size: int) -> list[int]:
    near_ends = [*range(5, 13), *range(13, 90, 5), *(size - less for less in (1, 2, 3, 4, 7, 8, 9, 12, 50, 100))]
    return sorted({*near_ends, *(size * part // 12 for part in range(1, 12))} & set(range(5, size)))


@pytest.mark.parametrize("kind", ["mp4", "fast.mp4", "mov", "mkv", "webm", "avi", "wav", "m4a", "flac", "jpg", "png", "webp", "gif"])
def test_a_file_cut_anywhere_looks_cut(reader: MediaReader, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"whole.{kind}"
    if kind in SOUNDS:
        make_audio(path)
    elif kind in PICTURES:
        make_image(path)
    else:
        make_video(path, faststart=kind.startswith("fast"))
    data = path.read_bytes()
    if kind == "flac":
        data = data[: data.rindex(b"\xff\xf8") + 4]  # what misses the last frame's last bytes alone is not seen
    uncut = [size for size in cut_points(len(data)) if not facts_of(reader, tmp_path / "cut", data[:size]).cut]
    assert uncut == []


def test_a_cut_that_hides_the_tracks_still_has_the_kind_of_such_containers(reader: MediaReader, tmp_path: Path) -> None:
    for path, kind in (
        (make_video(tmp_path / "v.mp4"), "video"),
        (make_audio(tmp_path / "s.m4a"), "audio"),
        (make_image(tmp_path / "p.png"), "image"),
    ):
        data = path.read_bytes()
        assert facts_of(reader, tmp_path / "cut", data[: len(data) // 2]).kind == kind


def test_a_cut_says_what_is_missing(reader: MediaReader, tmp_path: Path) -> None:
    video, fast = make_video(tmp_path / "v.mp4").read_bytes(), make_video(tmp_path / "f.mp4", faststart=True).read_bytes()
    index = video.index(b"moov") - 4
    assert "index of the file (moov) is missing" in facts_of(reader, tmp_path / "x", video[:index]).cut
    assert f"should have at least {len(fast):,}" in facts_of(reader, tmp_path / "x", fast[:-1]).cut
    media = fast.index(b"mdat") - 4
    assert "Nothing follows the index" in facts_of(reader, tmp_path / "x", fast[:media].replace(b"free", b"skip")).cut


@pytest.mark.parametrize("kind", ["mp4", "fast.mp4", "mkv"])
def test_zeros_where_content_should_be_look_cut(reader: MediaReader, tmp_path: Path, kind: str) -> None:
    data = make_video(tmp_path / f"v.{kind}", seconds=3, faststart="fast" in kind).read_bytes()
    for come in (0, 5000, len(data) // 3, len(data) - 66_000):
        assert facts_of(reader, tmp_path / "x", data[:come] + bytes(len(data) - come)).cut


@pytest.mark.parametrize("kind", ["wav", "mov"])
def test_silence_at_the_end_of_uncompressed_sound_is_no_cut(reader: MediaReader, tmp_path: Path, kind: str) -> None:
    sound = bytearray(make_audio(tmp_path / f"s.{kind}", seconds=3, faststart=True).read_bytes())
    sound[-100_000:] = bytes(100_000)
    assert facts_of(reader, tmp_path / "x", bytes(sound)).cut == ""


def test_what_is_appended_to_a_video_is_no_cut(reader: MediaReader, tmp_path: Path) -> None:
    video = make_video(tmp_path / "v.mp4").read_bytes()
    for appended in (bytes(512), b"a dash camera's own notes " * 50):
        assert facts_of(reader, tmp_path / "x", video + appended).cut == ""


def test_a_trailer_that_a_phone_put_behind_a_picture_is_no_cut(reader: MediaReader, tmp_path: Path) -> None:
    data = make_image(tmp_path / "p.jpg").read_bytes()
    assert facts_of(reader, tmp_path / "x", data + b"trailer" * 100).cut == ""


def test_a_recording_that_never_knew_its_length_is_no_cut(reader: MediaReader, tmp_path: Path) -> None:
    data = bytearray(make_audio(tmp_path / "s.wav").read_bytes())
    length = data.index(b"data") + 4
    data[4:8] = data[length : length + 4] = b"\xff" * 4
    assert facts_of(reader, tmp_path / "x", bytes(data)).cut == ""


def test_a_live_webm_without_sizes_is_no_cut_until_a_block_is(reader: MediaReader, tmp_path: Path) -> None:
    data = bytearray(make_video(tmp_path / "v.webm").read_bytes())
    for number in (b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"):
        at = data.index(number) + 4
        width = 9 - data[at].bit_length()
        data[at : at + width] = ((1 << 7 * width + 1) - 1).to_bytes(width, "big")
    cues = data.rindex(b"\x1c\x53\xbb\x6b")
    assert facts_of(reader, tmp_path / "x", bytes(data[:cues])).cut == ""
    assert facts_of(reader, tmp_path / "x", bytes(data[: cues - 5])).cut != ""


@pytest.mark.parametrize("name", [b"\xff\xfe.mp4", b"line\nbreak.mp4", b"http:%2f%2fx", "日本語.mp4".encode(), b"x" * 255])
def test_names_are_bytes_of_any_kind(reader: MediaReader, tmp_path: Path, name: bytes) -> None:
    data = make_video(tmp_path / "v.mp4").read_bytes()
    path = os.fsencode(tmp_path) + b"/" + name
    with open(path, "wb") as file:
        file.write(data)
    assert reader.facts(path).kind == "video"


def test_a_file_of_three_gigabytes_takes_no_longer(reader: MediaReader, tmp_path: Path) -> None:
    data, more = make_video(tmp_path / "v.mp4").read_bytes(), 3_000_000_000
    at = data.index(b"mdat") - 4
    size = int.from_bytes(data[at : at + 4], "big")
    large = (1).to_bytes(4, "big") + b"mdat" + (size + 8 + more).to_bytes(8, "big")
    with open(tmp_path / "large.mp4", "wb") as file:
        file.write(data[:at] + large + data[at + 8 : at + size])
        file.truncate(file.tell() + more)
        file.seek(0, os.SEEK_END)
        file.write(data[at + size :])
    begun = time.monotonic()
    facts = reader.facts(os.fsencode(tmp_path / "large.mp4"))
    assert (facts.kind, facts.cut) == ("video", "")
    assert time.monotonic() - begun < 2


def test_many_threads_may_ask_at_once(reader: MediaReader, tmp_path: Path) -> None:
    paths = [make_video(tmp_path / f"{number}.mp4", seconds=1, size=(64 + 16 * number, 64)) for number in range(8)]
    found: dict[int, Facts] = {}

    def ask(number: int) -> None:
        found[number] = reader.facts(os.fsencode(paths[number]))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number].width for number in range(8)] == [64 + 16 * number for number in range(8)]


# What kills or hangs a child


def child_of(reader: MediaReader) -> int:
    (child,) = reader._living
    return child._process.pid


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[MediaReader, bytes]]:
    """A reader with one child that is ready, and a video."""
    video = os.fsencode(make_video(tmp_path / "v.mp4"))
    with MediaReader(children=1, timeout_seconds=1) as made:
        made.facts(video)
        yield made, video


def test_a_file_that_kills_the_reader_is_named_and_the_next_one_is_read(own: tuple[MediaReader, bytes]) -> None:
    reader, video = own
    child = child_of(reader)
    os.kill(child, signal.SIGSTOP)

    def strike() -> None:
        os.kill(child, signal.SIGSEGV)
        os.kill(child, signal.SIGCONT)

    threading.Timer(0.2, strike).start()
    with pytest.raises(MediaError, match=r"/v\.mp4: reading its media facts killed its process \(SIGSEGV\)"):
        reader.facts(video)
    assert reader.facts(video).kind == "video"
    assert child_of(reader) != child


def test_a_file_that_hangs_the_reader_is_given_up(own: tuple[MediaReader, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qavix_watch.fs.media._GRACE_SECONDS", 0.5)
    reader, video = own
    os.kill(child_of(reader), signal.SIGSTOP)
    with pytest.raises(MediaError, match="took too long"):
        reader.facts(video)
    assert reader.facts(video).kind == "video"


def test_a_child_that_died_between_two_files_is_replaced_without_a_word(own: tuple[MediaReader, bytes]) -> None:
    reader, video = own
    child = child_of(reader)
    os.kill(child, signal.SIGKILL)
    until(lambda: not any(known.alive() for known in reader._living))
    assert reader.facts(video).kind == "video"
    assert child_of(reader) != child


def test_close_ends_the_child_in_the_middle_of_a_file_too(own: tuple[MediaReader, bytes]) -> None:
    reader, video = own
    child = child_of(reader)
    os.kill(child, signal.SIGSTOP)
    caught: list[Stopped] = []

    def ask() -> None:
        try:
            reader.facts(video)
        except Stopped as error:
            caught.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    until(reader._places.empty)
    reader.close()
    thread.join()
    assert len(caught) == 1
    with pytest.raises(Stopped):
        reader.facts(video)
    assert not Path(f"/proc/{child}").exists()


def test_a_child_gets_no_secret_and_few_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAVIX_API_KEY", "secret")
    monkeypatch.setenv("QAVIX_WATCH_API__ACCOUNT", "me")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "json.py").write_text("raise SystemExit('code from an inbox was run')")
    with MediaReader(children=1, memory_bytes=1 << 29) as reader:
        assert reader.facts(os.fsencode(make_video(tmp_path / "v.mp4"))).kind == "video"
        child = Path(f"/proc/{child_of(reader)}")
        assert b"QAVIX" not in (child / "environ").read_bytes()
        limits = (child / "limits").read_text()
        assert f"Max address space         {1 << 29} " in limits
        assert (child / "cwd").readlink() == Path("/")


def test_a_reader_that_cannot_start_says_so_and_does_not_blame_the_file(tmp_path: Path) -> None:
    video = os.fsencode(make_video(tmp_path / "v.mp4"))
    with MediaReader(memory_bytes=1 << 20) as reader, pytest.raises(MediaError, match="does not start"):
        reader.facts(video)


PARENT = """
import sys, time
from qavix_watch.fs.media import MediaReader
reader = MediaReader()
reader.facts(sys.argv[1].encode())
(child,) = reader._living
print(child._process.pid, flush=True)
time.sleep(60)
"""


def test_the_child_ends_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    video = make_video(tmp_path / "v.mp4")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", PARENT, str(video)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    until(lambda: not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split()[2])


def test_files_that_are_none_are_errors_of_ours(reader: MediaReader, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(FileUnreadable, match="no regular file"):
            reader.facts(os.fsencode(tmp_path / name))
    with pytest.raises(FileError, match="zero byte"):
        reader.facts(b"/a\0b")
