"""Names of results: nothing longer than a filesystem takes, every byte of a name kept where it can be."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qavix_watch.core.naming import LONGEST_NAME, LONGEST_RESULT, display, is_result_of, numbered, result_name, split_name, wire_name
from qavix_watch.core.tasks import TaskType

DUB, SUBS, ERASE, FACE, LIPS, CLONE, TTS = (
    TaskType.VIDEO_TRANSLATION,
    TaskType.SUBTITLE_TRANSLATION,
    TaskType.SMART_ERASURE,
    TaskType.FACE_SWAP,
    TaskType.LIP_SYNC,
    TaskType.VOICE_CLONE,
    TaskType.TEXT_TO_SPEECH,
)


@pytest.mark.parametrize(
    ("kind", "task", "target", "extension", "name"),
    [
        ("video", DUB, "es", "mp4", b"clip.es.mp4"),
        ("audio", DUB, "pt-BR", "mp3", b"clip.pt-BR.mp3"),
        ("subtitle", DUB, "es", ".srt", b"clip.es.srt"),
        ("subtitle", SUBS, "es", "srt", b"clip.es.srt"),
        ("video", SUBS, "es", "mp4", b"clip.es.subbed.mp4"),
        ("video", ERASE, None, "mp4", b"clip.erased.mp4"),
        ("video", FACE, None, "mp4", b"clip.swapped.mp4"),
        ("video", LIPS, None, "mp4", b"clip.synced.mp4"),
        ("audio", TTS, None, "mp3", b"clip.mp3"),
        ("audio", TTS, "es", "mp3", b"clip.mp3"),
        ("voice", CLONE, None, "", b"clip.voice.json"),
        ("audio", CLONE, None, "mp3", b"clip.mp3"),
        ("poster_2", DUB, "es", "jpg", b"clip.es.poster_2.jpg"),
        ("preview", SUBS, "es", "mp4", b"clip.es.preview.mp4"),
        ("preview", ERASE, None, "mp4", b"clip.erased.preview.mp4"),
        ("timings", TTS, "es", "txt", b"clip.timings.txt"),
    ],
)
def test_each_result_has_its_name(kind: str, task: TaskType, target: str | None, extension: str, name: bytes) -> None:
    assert result_name(b"clip", kind, task, target, extension) == name


def test_a_number_stands_on_the_stem() -> None:
    assert result_name(b"clip", "video", DUB, "es", "mp4", number=2) == b"clip (2).es.mp4"
    assert numbered(b"clip.mov", 2) == b"clip (2).mov"
    assert numbered(b"clip.mov", 1) == b"clip.mov"
    assert numbered(b"x" * 255, 12) == b"x" * 250 + b" (12)"


def test_two_sources_of_one_stem_keep_their_extension() -> None:
    assert result_name(b"clip", "video", DUB, "es", "mp4", source_suffix=b".mov") == b"clip.mov.es.mp4"
    assert result_name(b"clip", "video", DUB, "es", "mp4", number=2, source_suffix=b".mov") == b"clip (2).mov.es.mp4"


def test_a_long_stem_is_cut_between_two_characters() -> None:
    name = result_name("é".encode() * 120 + b"x", "video", DUB, "es", "mp4")
    assert len(name) <= LONGEST_RESULT
    assert name.decode().endswith("é.es.mp4")
    assert result_name(b"x" * 214 + b" " * 40, "video", DUB, "es", "mp4") == b"x" * 214 + b".es.mp4"
    assert len(result_name(b" " * 255, "video", DUB, "es", "mp4")) == LONGEST_RESULT
    assert len(result_name(b"\x80" * 255, "video", DUB, "es", "mp4")) == LONGEST_RESULT


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        (b"clip.mov", (b"clip", b".mov")),
        (b".hidden", (b".hidden", b"")),
        (b"clip", (b"clip", b"")),
        (b"Vol. 2 film", (b"Vol. 2 film", b"")),
        (b"a.tar.gz", (b"a.tar", b".gz")),
        (b"clip.", (b"clip.", b"")),
        (b"\xff.mp4", (b"\xff", b".mp4")),
        (b"", (b"", b"")),
        (b"clip.!qB", (b"clip", b".!qB")),
    ],
)
def test_a_name_has_a_stem_and_a_suffix(name: bytes, parts: tuple[bytes, bytes]) -> None:
    assert split_name(name) == parts


@pytest.mark.parametrize(
    "name",
    [
        b"clip.es.mp3",
        b"clip.pt-BR.mp4",
        b"clip (2).es.srt",
        b"clip.mov.es.mp4",
        b"clip (2).mov.es.mp4",
        b"clip.es.subbed.mp4",
        b"clip.erased.mp4",
        b"clip.swapped.mp4",
        b"clip.synced.mp4",
    ],
)
def test_our_own_results_are_recognised_by_their_names(name: bytes) -> None:
    assert is_result_of(name, b"clip")


@pytest.mark.parametrize("name", [b"clip.mp3", b"clip", b"clip2.es.mp3", b"clip.es", b"other.es.mp3", b"clip.director.mp4"])
def test_other_files_are_not(name: bytes) -> None:
    assert not is_result_of(name, b"clip")


def test_names_are_shown_with_nothing_hidden() -> None:
    assert display(b"a\xffb\nc\x7f") == "a\ufffdb\u240ac\\u007f"
    assert display("x\u202egpj.exe".encode()) == "x\\u202egpj.exe"
    assert display("日本 \u200d".encode()) == "日本 \u200d"


def test_what_goes_to_the_service_is_valid_utf8() -> None:
    assert wire_name(b"a\xff\x00b") == "a\ufffd\ufffdb"


names = st.binary(max_size=300).map(lambda name: name.replace(b"/", b"_").replace(b"\0", b"_"))


@settings(deadline=None)
@given(names, st.sampled_from(list(TaskType)), st.none() | st.just("zh-Hant-TW"), st.integers(1, 99), st.none() | st.just(b".mov"))
def test_no_name_is_too_long(stem: bytes, task: TaskType, target: str | None, number: int, suffix: bytes | None) -> None:
    name = result_name(stem, "video", task, target, "mp4", number=number, source_suffix=suffix)
    assert len(name) <= LONGEST_RESULT
    assert name.endswith(b".mp4")
    assert len(numbered(stem[:255], number)) <= LONGEST_NAME


@settings(deadline=None)
@given(names)
def test_a_name_that_fits_is_kept_byte_by_byte(stem: bytes) -> None:
    if len(stem) <= 200:
        assert result_name(stem, "video", DUB, "es", "mp4") == stem + b".es.mp4"
    assert b"".join(split_name(stem)) == stem
    wire_name(stem).encode()
    assert not any(char < " " or char in "\x7f\u2028\u202e" for char in display(stem))
