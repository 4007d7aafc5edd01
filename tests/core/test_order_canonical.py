"""Orders as values: in plain words, as JSON, in their canonical spelling; and what any name at all leads to."""

from __future__ import annotations

import contextlib
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qavix_watch.core.grammar import Words, parse
from qavix_watch.core.order import Order, from_json, to_json
from qavix_watch.core.regions import NAMED, read_region, settle_regions
from qavix_watch.core.tasks import TASKS, TaskType
from qavix_watch.core.text import fold, original_of_copy
from qavix_watch.errors import OrderError

EN_ES = Order(TaskType.VIDEO_TRANSLATION, "en", ("es",))


def refusal(name: str, words: Words | None = None) -> OrderError:
    with pytest.raises(OrderError) as caught:
        parse(name, words or Words())
    return caught.value


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("dub en to es", "Dub from English into Spanish"),
        (
            "dub en to es,fr,de voice=Ann priority=high",
            "Dub from English into Spanish, French and German, with the voice Ann; high priority",
        ),
        (
            "subs en to es embed=yes hold=yes",
            "Make subtitles from English into Spanish, as a file and burned into the picture; waits for approval",
        ),
        ("subs en to es priority=low", "Make subtitles from English into Spanish, as a file; low priority"),
        ("erase", "Erase subtitles and watermarks, found automatically"),
        ("erase mode=auto region=top", "Erase subtitles and watermarks, found automatically, in the region top (subtitle)"),
        ("erase region=top", "Erase what stands in the region top (subtitle)"),
        ("erase mode=protect region=top", "Erase subtitles and watermarks, but protect the region top (subtitle)"),
        ("face swap", "Put the face of the image into the video"),
        ("lip sync", "Move the lips of the video to the sound of the audio file"),
        ("clone voice", "Clone the voice and call it like the file"),
        ("clone voice name=Bob", "Clone the voice and call it Bob"),
        ("tts es voice=Ann", "Speak the text in Spanish, with the voice Ann"),
        ("tts voice=Ann", "Speak the text, with the voice Ann"),
    ],
)
def test_an_order_in_plain_words(name: str, meaning: str) -> None:
    assert parse(name).describe() == meaning


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        "{}",
        "null",
        '{"task":"nothing"}',
        "[" * 100_000,
        to_json(EN_ES).replace('"label"', '"other"'),
        to_json(EN_ES).replace('"regions":[]', '"regions":[1]'),
    ],
)
def test_what_is_no_stored_order_is_refused(text: str) -> None:
    with pytest.raises(OrderError, match="no stored order"):
        from_json(text)


def test_a_voice_that_a_name_cannot_say_is_left_out_of_it() -> None:
    for voice in ("a/b", "a b=c", "a =b", "a__b=c", "a__"):
        assert Order(TaskType.VIDEO_TRANSLATION, "en", ("es",), voice=voice).canonical() == "dub en to es"


@pytest.mark.parametrize("voice", ["Bob (x)", "Hard copy", "a= b", "Hard - copy", "a=b", "__x", "Ann hold", "copy"])
def test_a_voice_that_looks_like_the_end_of_a_name_is_spelled_so_that_it_is_none(voice: str) -> None:
    for label in (None, "2", "b"):
        order = Order(TaskType.VIDEO_TRANSLATION, "en", ("es",), voice=voice, label=label)
        assert parse(order.canonical()) == order


def test_reading_is_quick() -> None:
    parse("dub en to es (warm)")
    start = time.perf_counter()
    for number in range(200):
        parse(f"dub brazilian portuguese to es,fr voice=Maria priority=high ({number})")
    assert (time.perf_counter() - start) / 200 < 0.005


# --- properties

LANGUAGES = ["en", "es", "pt-BR", "zh-Hans", "zh-CN", "kr", "to", "and", "en-ES", "es-419", "de", "fr-CA", "la", "sr-Latn-RS", "ja"]
words_of_voices = st.text(max_size=30).map(fold).filter(lambda text: text and "/" not in text and text.isprintable())
labels = st.none() | st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="/()（）"), min_size=1, max_size=12)
regions = st.lists(
    st.sampled_from(sorted(NAMED.values()))
    | st.builds(
        lambda x, y, w, h, kind: read_region(f"{x / 1e4},{y / 1e4},{min(w, 10_000 - x) / 1e4},{min(h, 10_000 - y) / 1e4},{kind}"),
        st.integers(0, 9999),
        st.integers(0, 9999),
        st.integers(1, 10_000),
        st.integers(1, 10_000),
        st.sampled_from(["subtitle", "watermark"]),
    ),
    max_size=3,
).map(settle_regions)


@st.composite
def orders(draw: st.DrawFn) -> Order:
    task = draw(st.sampled_from(list(TaskType)))
    spec = TASKS[task]
    tags = draw(st.lists(st.sampled_from(LANGUAGES), min_size=2, max_size=4, unique=True))
    found = draw(regions) if "region" in spec.keys else ()
    voice = draw(words_of_voices) if task is TaskType.TEXT_TO_SPEECH else draw(st.none() | words_of_voices)
    modes = {False: ["auto"], True: ["auto", "manual", "protect"]}[bool(found)]
    return Order(
        task=task,
        source=tags[0] if spec.languages == "pair" else None,
        targets={"pair": tuple(tags[1:]), "one": tuple(tags[: draw(st.integers(0, 1))]), "none": ()}[spec.languages],
        voice=voice if "voice" in spec.keys else None,
        embed="embed" in spec.keys and draw(st.booleans()),
        mode=draw(st.sampled_from(modes)) if "mode" in spec.keys else None,
        regions=found,
        voice_name=draw(st.none() | words_of_voices) if "name" in spec.keys else None,
        priority=draw(st.sampled_from(["high", "normal", "low"])),
        hold=draw(st.booleans()),
        label=draw(labels),
    )


@settings(max_examples=400, deadline=None)
@given(orders())
def test_parsing_the_canonical_spelling_gives_the_same_order_back(order: Order) -> None:
    said = order.canonical()
    free = order.voice or order.voice_name
    if free and f"={free}" not in said:
        assert "=" in free or free.endswith("__")
        return
    assert parse(said) == order
    assert parse(said).canonical() == said


@settings(deadline=None)
@given(orders())
def test_an_order_survives_its_json(order: Order) -> None:
    assert from_json(to_json(order)) == order
    json.loads(to_json(order))


PIECES = [
    "dub",
    "subs",
    "erase",
    "tts",
    "face",
    "swap",
    "clone voice",
    "en",
    "es",
    "pt-BR",
    "en-es",
    "kr",
    "to",
    "and",
    ",",
    "+",
    "(",
    ")",
    "_",
    "__",
    "-",
    " ",
    "voice=",
    "region=",
    "mode=",
    "bottom",
    "0,0,1,1",
    "yes",
    "copy",
    " - Copy",
    "(2)",
    "Portuguese",
    "(Brazil)",
    "translate",
    "=",
]


pieces = st.lists(st.sampled_from(PIECES), max_size=10)


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=60) | pieces.map(" ".join) | pieces.map("".join))
def test_any_text_is_an_order_or_an_order_error(text: str) -> None:
    name: str | None = text
    try:
        parse(text)
    except OrderError as error:
        name = error.suggestion
    if name is not None:
        assert parse(parse(name).canonical()) == parse(name)


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(), min_size=100, max_size=3000), st.sampled_from(["", "dub ", "dub en to ", "tts voice="]))
def test_long_and_hostile_names_are_answered_quickly(text: str, begin: str) -> None:
    start = time.perf_counter()
    with contextlib.suppress(OrderError):
        parse(begin + text)
    assert time.perf_counter() - start < 1.0


@pytest.mark.parametrize(
    "text",
    [
        "dub " + "en " * 320,
        "dub en to " + ",".join(["es"] * 300),
        "dub en to es (" * 60,
        "(" * 999,
        "dub " + "to " * 300,
        "dub en to es" + " copy" * 190,
        "dub en to es voice=" + "a=" * 400,
        "-".join(["dub"] * 240),
        "dub_" * 240,
    ],
)
def test_repetitive_names_are_answered_quickly(text: str) -> None:
    start = time.perf_counter()
    with pytest.raises(OrderError):
        parse(text)
    assert time.perf_counter() - start < 1.0
    original_of_copy(text)


def test_mere_noise_is_not_understood() -> None:
    assert refusal("\x00\x01").suggestion is None
