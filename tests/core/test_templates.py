"""Names of results by a person's own template."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qavix_watch.core.naming import LONGEST_RESULT
from qavix_watch.core.templates import templated


def test_a_template_names_its_parts() -> None:
    assert templated("{stem}.{source}-{target}{ext}", b"clip", "en", "pt-BR", "mp4") == b"clip.en-pt-BR.mp4"
    assert templated("{stem}{ext}", b"clip", None, None, "srt") == b"clip.srt"


def test_the_number_that_makes_a_name_free_stands_on_the_stem() -> None:
    assert templated("{stem}.{target}{ext}", b"clip", "en", "es", "mp4", number=3) == b"clip (3).es.mp4"


def test_what_a_stem_says_is_no_placeholder() -> None:
    assert templated("{stem}.{target}{ext}", b"{target}", "en", "es", "mp4") == b"{target}.es.mp4"


@given(st.text(min_size=1, max_size=300).map(str.encode), st.integers(1, 9999))
def test_a_name_is_never_too_long_and_numbers_make_it_another(stem: bytes, number: int) -> None:
    name = templated("{stem}.{target}{ext}", stem, "en", "es", "mp4", number=number)
    assert len(name) <= LONGEST_RESULT
    assert name != templated("{stem}.{target}{ext}", stem, "en", "es", "mp4", number=number + 1)


@given(st.sampled_from("aé€😀"), st.integers(1, 300))
def test_a_stem_that_was_text_stays_text_when_it_is_shortened(letter: str, count: int) -> None:
    assert templated("{stem}{ext}", (letter * count).encode(), None, None, "mp4").decode()
