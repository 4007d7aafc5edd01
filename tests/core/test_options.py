"""qavix.toml: the same keys as a name, typed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qavix_watch.core.options import LARGEST_FILE, Options, check_agreement, merge, parse_options
from qavix_watch.core.regions import NAMED, Region
from qavix_watch.errors import OrderError


def test_every_key_is_read_with_its_type() -> None:
    text = """
        voice = "Maria Clara"
        embed = true
        mode = "Manual"
        region = "bottom"
        name = "Bob"
        PRIORITY = "high"
        hold = false
    """
    assert parse_options(text.encode(), "q") == Options(
        "q", voice="Maria Clara", embed=True, mode="manual", region=(NAMED["bottom"],), name="Bob", priority="high", hold=False
    )


def test_a_byte_order_mark_and_windows_line_ends_are_allowed() -> None:
    assert parse_options(b"\xef\xbb\xbfhold = true\r\n", "q").hold is True


def test_an_empty_file_says_nothing() -> None:
    assert parse_options(b"", "q").said() == {}


def test_one_voice_per_language() -> None:
    text = 'voice.es = "Maria"\nvoice.pt-BR = "Ana"\nvoice."Brazilian Portuguese (x)" = "x"'
    assert parse_options(b'voice.es = "Maria"\nvoice.PT-br = "Ana"', "q").voices == (("es", "Maria"), ("pt-BR", "Ana"))
    assert parse_options(b'[voice]\nSpanish = "Maria"', "q").said() == {"voice": (("es", "Maria"),)}
    with pytest.raises(OrderError, match="is no language"):
        parse_options(text.encode(), "q")


@pytest.mark.parametrize(
    "written",
    [
        '"bottom"',
        '["bottom"]',
        '"0,0.8,1,0.2"',
        "[0, 0.8, 1, 0.2]",
        "[[0, 0.8, 1, 0.2]]",
        '[[0, 0.8, 1, 0.2, "subtitle"]]',
        "{x = 0, y = 0.8, width = 1, height = 0.2}",
        '[{x = 0, y = 0.8, width = 1, height = 0.2, kind = "subtitle"}]',
    ],
)
def test_a_region_may_be_written_in_several_ways(written: str) -> None:
    assert parse_options(f"region = {written}".encode(), "q").region == (NAMED["bottom"],)


def test_several_regions_are_sorted_and_each_stands_once() -> None:
    found = parse_options(b'region = ["bottom", "top", "0,0.8,1,0.2", [0, 0, 0.5, 0.5, "watermark"]]', "q").region
    assert found == (Region(0, 0, 0.5, 0.5, "watermark"), NAMED["top"], NAMED["bottom"])


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ('voice = "a"\nhold = maybe', 2, "Invalid value"),
        ('voice = "a"\n\nhold = true\nhold = false', 4, "Cannot overwrite a value"),
        ("voice = “a”", 1, "Invalid value"),
        ('voice = "a', 1, "Unterminated|Illegal|Expected"),
        ("[voice", 1, "Expected"),
        ('hold = true\nspeed = "fast"', 2, "`speed` is no key"),
        ("hold = true\n[upload]\nx = 1", 2, "`upload` is no key"),
        ('# a comment\nhold = "yes"', 2, "`hold` has the wrong type"),
        ("embed = 1", 1, "`embed` has the wrong type"),
        ("voice = 7", 1, "`voice` has the wrong type"),
        ("priority = true", 1, "`priority` has the wrong type"),
        ('priority = "urgent"', 1, "one of high, normal, low"),
        ('mode = "x"', 1, "one of auto, manual, protect"),
        ('name = ""', 1, "0 characters"),
        ('name = "a\\u0007"', 1, "control character"),
        ('hold = true\n"Hold" = true', 2, "`Hold` stands twice"),
        ('voice = "a"\n[VOICE]\nes = "b"', 2, "`VOICE` stands twice"),
        ('[voice]\nes = "b"\n[VOICE]\nes = "b"', 3, "`VOICE` stands twice"),
        ('voice.es = "a"\nvoice.spanish = "b"', 1, "stands twice"),
        ("voice.es = 7", 1, "`voice.es` has the wrong type"),
        ('voice.kr = "x"', 1, "`kr` is Kanuri"),
        ("[voice]", 1, "names no language"),
        ('region = "middle"', 1, "is no region"),
        ("region = 7", 1, "no region"),
        ("region = [1, 2]", 1, "no region"),
        ("region = [[0, 0, 1]]", 1, "no region"),
        ("region = [0, 0, 1, 1, 7]", 1, "no region"),
        ('region = [0, 0, 1, 1, "logo"]', 1, "neither subtitle nor watermark"),
        ("region = {x = 0}", 1, "no region"),
        ("region = {x = 0, y = 0, width = 1, height = 1, z = 1}", 1, "no region"),
        ("region = [0, 0, inf, 1]", 1, "no region"),
        ("region = [0, 0, nan, 1]", 1, "no region"),
        ("region = [0, 0, true, 1]", 1, "no region"),
        ("region = [0, 0, 2, 1]", 1, "not all from 0 to 1"),
        ("region = [[[0, 0, 1, 1]]]", 1, "no region"),
        ("region = [[0, 0, 1, 0x" + "f" * 6000 + "]]", 1, "no region"),
        ("hold = true\nx = " + "9" * 5000, 2, "limit"),
        ("x = " + "[" * 5000, 1, "recursion"),
    ],
)
def test_a_broken_file_is_refused_with_the_number_of_the_line(text: str, line: int, says: str) -> None:
    with pytest.raises(OrderError, match=says) as caught:
        parse_options(text.encode(), "dub en to es/qavix.toml")
    assert str(caught.value).startswith(f"dub en to es/qavix.toml, line {line}: ")
    assert caught.value.hint


def test_curly_quotes_get_a_hint() -> None:
    with pytest.raises(OrderError) as caught:
        parse_options("voice = “Maria”".encode(), "q")
    assert caught.value.hint == 'Use straight quotes: "like this".'


def test_a_file_that_is_not_utf_8_is_refused_with_the_line() -> None:
    with pytest.raises(OrderError, match=r"q, line 2: here are bytes that are not UTF-8") as caught:
        parse_options(b'hold = true\nvoice = "Mar\xeda"', "q")
    assert "UTF-8" in caught.value.hint
    with pytest.raises(OrderError, match="saved as UTF-16"):
        parse_options("hold = true".encode("utf-16"), "q")


def test_a_huge_file_is_no_options_file() -> None:
    with pytest.raises(OrderError, match="65,537 bytes"):
        parse_options(b"#" * (LARGEST_FILE + 1), "q")


def test_merging_takes_the_nearest_of_each_key() -> None:
    far = Options("far", voice="A", priority="high", region=(NAMED["top"],))
    near = Options("near", hold=False, region=())
    assert merge([far, None, near]) == Options("near", voice="A", priority="high", hold=False, region=())
    assert merge([]) == Options()


def test_a_name_and_its_own_file_must_agree() -> None:
    check_agreement(Options(priority="high", voice="A"), Options("q", priority="high", hold=True))
    for name, file in ((Options(hold=True), Options(hold=False)), (Options(voice="A"), Options(voices=(("es", "B"),)))):
        with pytest.raises(OrderError, match="say different things about") as caught:
            check_agreement(name, file)
        assert caught.value.hint.startswith("Take `")


def read(data: bytes) -> str:
    """What parse_options says of the bytes."""
    try:
        parse_options(data, "q")
    except OrderError as error:
        return str(error)
    return "q: fine"


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_are_options_or_an_order_error(data: bytes) -> None:
    assert read(data).startswith("q")


VALUES = [
    "true",
    "1",
    "0.5",
    '"es"',
    '"bottom"',
    "[]",
    "[0,0,1,1]",
    "{}",
    '{es="x"}',
    "inf",
    "1979-05-27",
    '"high"',
    "[[]]",
    '"\\uFFFF"',
    "-1",
]


KEYS = ["voice", "voice.es", "embed", "mode", "region", "name", "priority", "hold", "x"]


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES)))
def test_any_value_under_any_key_is_options_or_an_order_error(table: dict[str, str]) -> None:
    text = "\n".join(f"{key} = {value}" for key, value in table.items())
    assert read(text.encode()).startswith(("q, line ", "q: fine"))
