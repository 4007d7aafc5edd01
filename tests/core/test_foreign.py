"""Names for filesystems that refuse some, and the extensions of results."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qavix_watch.core.foreign import escape_refused, extension_for


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        (b"clip.es.mp4", b"clip.es.mp4"),
        (b'a:b"c*d?e<f>g|h\\i.mp4', b"a%3Ab%22c%2Ad%3Fe%3Cf%3Eg%7Ch%5Ci.mp4"),
        (b"clip.", b"clip%2E"),
        (b"clip ", b"clip%20"),
        (b"a\nb", b"a%0Ab"),
        (b"\xff.mp4", b"%FF.mp4"),
        ("é.mp4".encode(), "é.mp4".encode()),
        (b"con.es.mp4", b"%63on.es.mp4"),
        (b"CON", b"%43ON"),
        (b"console.mp4", b"console.mp4"),
        (b"lpt1.srt", b"%6Cpt1.srt"),
        (b"", b""),
    ],
)
def test_what_a_filesystem_refuses_is_percent_escaped(name: bytes, escaped: bytes) -> None:
    assert escape_refused(name) == escaped


def test_a_name_that_grows_too_long_loses_the_end_of_its_stem() -> None:
    assert escape_refused(b"?" * 200 + b".mp4") == b"%3F" * 83 + b".mp4"


@pytest.mark.parametrize(("name", "escaped"), [(b" " * 254 + b":", b"_"), (b"." * 250 + b":.mp4", b"_.mp4")])
def test_a_long_name_of_nothing_but_spaces_and_dots_is_still_a_name(name: bytes, escaped: bytes) -> None:
    """Without one a result would be put in place as the folder itself."""
    assert escape_refused(name) == escaped


@settings(deadline=None)
@given(st.binary(max_size=255))
def test_an_escaped_name_is_text_without_what_is_refused_and_fits(name: bytes) -> None:
    escaped = escape_refused(name)
    escaped.decode()
    assert len(escaped) <= 255
    assert not set(escaped) & set(b':"*?<>|\\\n\0')
    assert not escaped.endswith((b".", b" "))


HEADS = {
    b"\0\0\0\x18ftypmp42": "mp4",
    b"\0\0\0\x14ftypqt  ": "mov",
    b"\0\0\0\x18ftypM4V ": "m4v",
    b"\x1a\x45\xdf\xa3\x01\x42\x82\x84webm": "webm",
    b"\x1a\x45\xdf\xa3\x01\x42\x82\x88matroska": "mkv",
    b"RIFF\0\0\0\0AVI LIST": "avi",
}
SOUNDS = {
    b"ID3\x04": "mp3",
    b"\xff\xfb\x90": "mp3",
    b"\xff\xf1P": "aac",
    b"RIFF\0\0\0\0WAVEfmt ": "wav",
    b"fLaC": "flac",
    b"\0\0\0\x18ftypM4A ": "m4a",
    b"OggS" + b"\0" * 24 + b"OpusHead": "opus",
    b"OggS" + b"\0" * 24 + b"\x01vorbis": "ogg",
}
TEXTS = {
    b"WEBVTT\n": "vtt",
    b"\xef\xbb\xbfWEBVTT": "vtt",
    b"[Script Info]\n": "ass",
    b"1\n00:00:01,000 --> 00:00:02,000\nHi": "srt",
    b"\xef\xbb\xbf1\r\n00:00:01.000 --> 00:00:02.000\r\n": "srt",
}


@pytest.mark.parametrize(("head", "extension"), [*HEADS.items()])
def test_a_video_is_known_by_its_first_bytes(head: bytes, extension: str) -> None:
    assert extension_for("https://x/result", None, head, "video") == extension


@pytest.mark.parametrize(("head", "extension"), [*SOUNDS.items()])
def test_a_sound_is_known_by_its_first_bytes(head: bytes, extension: str) -> None:
    assert extension_for("https://x/result", "application/octet-stream", head, "audio") == extension


@pytest.mark.parametrize(("head", "extension"), [*TEXTS.items()])
def test_subtitles_are_known_by_their_first_bytes(head: bytes, extension: str) -> None:
    assert extension_for("https://x/result", "text/plain", head, "subtitle") == extension


def test_the_url_comes_first_then_the_content_type_then_the_content() -> None:
    head = b"\x1a\x45\xdf\xa3"
    assert extension_for("https://x/a/clip.MOV?sig=a.b/c.avi#x", "video/webm", head, "video") == "mov"
    assert extension_for("https://x/a/clip.bin", "Video/WebM; codecs=x", head, "video") == "webm"
    assert extension_for("https://x/a/clip", "text/html", head, "video") == "mkv"
    assert extension_for("https://x/a.srt/clip", None, b"", "subtitle") == "srt"


def test_only_extensions_of_the_kind_are_ever_returned() -> None:
    assert extension_for("https://x/clip.exe", "application/x-sh", b"#!", "video") == "mp4"
    assert extension_for("https://x/clip.mp4", "video/mp4", b"\0\0\0\0ftypisom", "audio") == "mp3"
    assert extension_for("https://x/clip.mp4/../../etc", None, b"", "subtitle") == "srt"
    assert extension_for("", None, b"", "voice") == "json"


def test_a_kind_that_nobody_knows_yet_has_an_extension_of_some_other_or_none_that_means_anything() -> None:
    assert extension_for("https://x/poster.JPG", None, b"", "poster") == "jpg"
    assert extension_for("https://x/poster", "image/png", b"", "poster") == "png"
    assert extension_for("https://x/run.sh", "application/x-sh", b"#!", "poster") == "bin"


@settings(deadline=None)
@given(
    st.text(max_size=80), st.none() | st.text(max_size=20), st.binary(max_size=64),
    st.sampled_from(["video", "audio", "subtitle", "voice", "poster"]),
)
def test_whatever_the_service_says_the_extension_is_plain(url: str, content_type: str | None, head: bytes, kind: str) -> None:
    assert extension_for(url, content_type, head, kind).isalnum()
