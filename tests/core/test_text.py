"""Folding, labels, copies, shortening."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qavix_watch.core.text import fold, legible, looks_unfinished, original_of_copy, shorten, split_label


def test_all_spaces_and_dashes_become_plain_ones() -> None:
    assert fold("\u2003dub\u00a0en\u3000to  es ") == "dub en to es"
    assert fold("a\u2010b\u2013c\u2014d\u2212e\uff0df") == "a-b-c-d-e-f"


@settings(deadline=None)
@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("name", "rest", "label"),
    [
        ("a (b)", "a ", "b"),
        ("a", "a", None),
        ("a (b (c))", "a ", "b (c)"),
        ("a b)", "a b)", None),
        ("a (b) c", "a (b) c", None),
        ("a（b)", "a", "b"),
        ("", "", None),
    ],
)
def test_the_group_at_the_end_is_the_label(name: str, rest: str, label: str | None) -> None:
    assert split_label(name) == (rest, label)


def test_copies() -> None:
    assert original_of_copy("a - Copy (3)") == "a"
    assert original_of_copy("a copy 2") == "a"
    assert original_of_copy("copy") is None
    assert original_of_copy("photocopy") is None
    assert looks_unfinished("a copy")
    assert looks_unfinished("a (b)")
    assert looks_unfinished("a - copy")
    assert not looks_unfinished("a")


def test_legible_text_is_valid_utf8_without_controls() -> None:
    assert legible("a\udcff\n\u2028b") == "a\ufffd\ufffd\ufffdb"


def test_a_name_is_cut_between_characters_where_it_has_any() -> None:
    assert shorten(b"abc", 5) == b"abc"
    assert shorten(b"abc", 2) == b"ab"
    assert shorten("aé".encode(), 2) == b"a"
    assert shorten("a😀".encode(), 4) == b"a"
    assert shorten(b"\x80" * 9, 6) == b"\x80" * 6
    assert shorten(b"abc", -1) == b""


@settings(deadline=None)
@given(st.text(max_size=50), st.integers(1, 60))
def test_valid_names_stay_valid(text: str, room: int) -> None:
    data = legible(text).encode()
    cut = shorten(data, room)
    assert len(cut) <= room
    if room >= 4:
        assert data.decode().startswith(cut.decode())
