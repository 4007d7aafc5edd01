"""Languages as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qavix_watch.core.languages import in_words, meant_by, read_language, spelling
from qavix_watch.errors import OrderError


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        ("es", "es"),
        ("ES", "es"),
        ("pt-BR", "pt-BR"),
        ("pt_BR", "pt-BR"),
        ("pt-br", "pt-BR"),
        ("zh-cn", "zh-CN"),
        ("eng", "en"),
        ("iw", "he"),
        ("zh-yue", "yue"),
        ("es-419", "es-419"),
        ("sr-Latn-RS", "sr-Latn-RS"),
        ("cmn", "zh"),
        ("Mandarin", "zh"),
        ("ca-valencia", "ca-valencia"),
        ("de-1996", "de-1996"),
        ("Spanish", "es"),
        ("español", "es"),
        ("ESPAÑOL", "es"),
        ("Deutsch", "de"),
        ("日本語", "ja"),
        ("中文", "zh"),
        ("简体中文", "zh-Hans"),
        ("Русский", "ru"),
        ("العربية", "ar"),
        ("हिन्दी", "hi"),
        ("Tiếng Việt", "vi"),
        ("한국어", "ko"),
        ("Brazilian Portuguese", "pt-BR"),
        ("brazilian-portuguese", "pt-BR"),
        ("Portuguese (Brazil)", "pt-BR"),
        ("português (Brasil)", "pt-BR"),
        ("português do Brasil", "pt-BR"),
        ("Chinese (Simplified)", "zh-Hans"),
        ("Chinese Simplified", "zh-Hans"),
        ("English (UK)", "en-GB"),
        ("Spanish (Latin America)", "es-419"),
        ("Norwegian (Bokmål)", "nb"),
        ("bahasa Indonesia", "id"),
        ("  fr  ", "fr"),
    ],
)
def test_tags_and_names_in_english_or_in_themselves_are_languages(written: str, tag: str) -> None:
    assert read_language(written) == tag


@pytest.mark.parametrize(
    "written",
    [
        "",
        "german movie",
        "movie",
        "Englisch",
        "francés",
        "a",
        "Wu",
        "en-",
        "-en",
        "_en",
        "(german)",
        "german)",
        "es,fr",
        "german (movie)",
        "brazilian portuguese (brazil)",
        "und",
        "mul",
        "zxx",
        "mis",
        "qaa",
        "en-x-foo",
        "x-foo",
        "en-XA",
        "en-AA",
        "abc-xyz-123456789",
        "root",
        "Proto-Germanic",
        "Spanish (Mexico) (x)",
        "es (mx)",
        "xx",
        "x" * 300,
        "Klingon (Earth)",
        "\x00\U00010000",
        "\x00\x80",
        "\ud800",
    ],
)
def test_every_word_counts_and_what_names_no_language_is_refused(written: str) -> None:
    with pytest.raises(OrderError, match="is no language"):
        read_language(written)


@pytest.mark.parametrize(
    "tag",
    [
        "pt-BR",
        "pt-PT",
        "es-MX",
        "es-AR",
        "en-GB",
        "en-US",
        "zh-CN",
        "zh-TW",
        "fr-CA",
        "fr-BE",
        "de-CH",
        "sv-SE",
        "sv-FI",
        "ko-KR",
        "ja-JP",
        "cs-CZ",
        "el-GR",
        "uk-UA",
        "kk-KZ",
        "ca-ES",
        "en-IN",
        "nl-BE",
        "ar-AE",
        "en-AE",
        "ms-MY",
        "es-CO",
        "es-SV",
        "he-IL",
        "en-XK",
        "et-EE",
        "lo-LA",
        "nds-NL",
    ],
)
def test_regional_tags_that_people_use_are_taken_as_they_are(tag: str) -> None:
    assert read_language(tag) == tag
    assert read_language(tag.lower()) == tag
    assert spelling(tag) == tag


@pytest.mark.parametrize(
    ("written", "reading", "mend"),
    [
        ("en-es", "reads as English of Spain", "en to es"),
        ("en_ES", "reads as English of Spain", "en to es"),
        ("en-uk", "reads as English of the United Kingdom", "en to uk"),
        ("fr-it", "reads as French of Italy", "fr to it"),
        ("en-cn", "reads as English of China", "en to zh"),
        ("en-kr", "reads as English of South Korea", "en to ko"),
        ("kr-es", "reads as Kanuri of Spain", "ko to es"),
        ("ar-en", "is no language", "ar to en"),
        ("en-spa", "is no language", "en to es"),
    ],
)
def test_a_tag_that_is_mostly_meant_as_a_pair_is_refused_with_the_mend(written: str, reading: str, mend: str) -> None:
    with pytest.raises(OrderError) as caught:
        read_language(written)
    assert str(caught.value) == f"`{written}` {reading}: write `{mend}`"


def test_a_rare_region_can_still_be_named() -> None:
    assert read_language("English (Spain)") == "en-ES"
    assert read_language("en-Latn-ES") == "en-ES"
    assert spelling("en-ES") == "English (Spain)"


@pytest.mark.parametrize(
    ("slip", "message"),
    [
        ("kr", "`kr` is Kanuri; for Korean write `ko`, for Kanuri write its name"),
        ("se", "`se` is Northern Sami; for Swedish write `sv`, for Northern Sami write its name"),
        ("br", "`br` is Breton; for Portuguese of Brazil write `pt-BR`, for Breton write its name"),
        ("jp", "`jp` is no language; for Japanese write `ja`"),
        ("CN", "`cn` is no language; for Chinese write `zh`"),
        ("to", "`to` is never a language; for Tongan write its name"),
        ("and", "`and` is never a language; for Ansus write its name"),
    ],
)
def test_a_slip_for_a_country_is_refused_with_both_readings(slip: str, message: str) -> None:
    with pytest.raises(OrderError) as caught:
        read_language(slip)
    assert str(caught.value) == message


@pytest.mark.parametrize("slip", ["kr", "se", "br", "tw", "ee", "ch", "my", "la", "jp", "cn", "cz", "dk", "gr", "ua", "kz"])
def test_every_slip_of_the_list_is_refused(slip: str) -> None:
    with pytest.raises(OrderError, match="write `"):
        read_language(slip)


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("Kanuri", "kr"),
        ("Northern Sami", "se"),
        ("Breton", "br"),
        ("Twi", "tw"),
        ("Ewe", "ee"),
        ("Chamorro", "ch"),
        ("Burmese", "my"),
        ("Latin", "la"),
        ("Tongan", "to"),
        ("Ansus", "and"),
    ],
)
def test_what_a_slip_really_names_is_written_out(name: str, tag: str) -> None:
    assert read_language(name) == tag
    assert spelling(tag) == name


def test_words_that_are_no_language_may_still_be_asked_about() -> None:
    assert meant_by("Englisch") == "en"
    assert meant_by("jp") == "ja"
    assert meant_by("es") == "es"
    assert meant_by("movie") is None
    assert meant_by("zz") is None


def test_a_tag_in_words() -> None:
    assert in_words("es-MX") == "Spanish (Mexico)"


def test_a_language_that_cannot_be_read_is_spelled_as_it_is() -> None:
    assert spelling("und") == "und"


@settings(deadline=None)
@given(st.text(st.characters(), max_size=40))
def test_any_text_is_a_language_or_an_order_error(text: str) -> None:
    try:
        tag = read_language(text)
    except OrderError:
        return
    assert read_language(spelling(tag)) == tag


@settings(deadline=None)
@given(st.from_regex(r"[a-z]{2,3}(-[A-Za-z]{2,4})?(-[A-Z0-9]{2,3})?", fullmatch=True))
def test_what_looks_like_a_tag_is_read_or_refused_and_spelled_back(text: str) -> None:
    try:
        tag = read_language(text)
    except OrderError:
        return
    assert read_language(spelling(tag)) == tag
