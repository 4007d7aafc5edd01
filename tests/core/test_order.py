"""PRODUCT's grammar: a folder's name is the order form."""

from __future__ import annotations

import gc
import weakref
from contextlib import suppress

import pytest

from qavix_watch.core.grammar import Words, is_order_shaped, parse
from qavix_watch.core.order import Order
from qavix_watch.core.tasks import TASKS, TaskType
from qavix_watch.errors import OrderError

EN_ES = Order(TaskType.VIDEO_TRANSLATION, "en", ("es",))
SPANISH_WORDS = Words({"to": ("nach", "a", "zu"), "dub": ("doblar", "voz en off")})


def refusal(name: str, words: Words | None = None) -> OrderError:
    with pytest.raises(OrderError) as caught:
        parse(name, words or Words())
    return caught.value


# --- reading


@pytest.mark.parametrize(
    "name",
    [
        "dub en to es",
        "DUB EN TO ES",
        "Dub English to Spanish",
        "dub  en   to es ",
        "dub en es",
        "dub english spanish",
        "dub__en__to__es",
        "dub__en to__es",
        "dub_en_to_es",
        "dub-en-to-es",
        "dub_en_es",
        "dub-en-es",
        "video translation en to es",
        "video-translation en to es",
        "Video_Translation en to es",
        "video_translation_en_to_es",
        "dub en to español",
        "\uff44\uff55\uff42\u3000en\u00a0to\u2003es",
        "dub eng to spa",
        "dub-english-to-español",
    ],
)
def test_one_order_in_many_spellings(name: str) -> None:
    assert parse(name) == EN_ES


@pytest.mark.parametrize("word", [word for spec in TASKS.values() if spec.languages == "none" for word in spec.words])
def test_a_job_word_may_be_joined_by_space_hyphen_or_underscore(word: str) -> None:
    orders = {parse(word), parse(word.replace(" ", "-")), parse(word.replace(" ", "_")), parse(word.upper())}
    assert len(orders) == 1
    assert word in orders.pop().spec.words


@pytest.mark.parametrize(("task", "spec"), TASKS.items())
def test_every_job_word_of_the_table_is_read(task: TaskType, spec: object) -> None:
    rest = {"pair": " en to es", "one": " es voice=Maria", "none": ""}[TASKS[task].languages]
    for word in TASKS[task].words:
        assert parse(word + rest).task is task
        assert parse(word + rest).canonical() == TASKS[task].word + rest


def test_the_longest_job_word_that_fits_wins() -> None:
    assert parse("subtitle translation en to es").task is TaskType.SUBTITLE_TRANSLATION
    assert refusal("subtitle translations en to es").suggestion == "subs en to es"


@pytest.mark.parametrize(
    "name",
    [
        "dub-en-to-pt-BR",
        "dub_en_to_pt-BR",
        "dub_en_to_pt_BR",
        "dub-en-pt-br",
        "dub en to Portuguese (Brazil)",
        "dub_en_to_portuguese_(brazil)",
        "dub en to brazilian portuguese",
        "dub en brazilian portuguese",
        "dub-en-to-brazilian-portuguese",
        "dub en to Portuguese\uff08Brazil\uff09",
    ],
)
def test_a_language_of_several_parts_is_read_with_every_separator(name: str) -> None:
    assert parse(name) == Order(TaskType.VIDEO_TRANSLATION, "en", ("pt-BR",))


@pytest.mark.parametrize(
    "targets", ["es,fr,de", "es, fr, de", "es+fr+de", "es & fr & de", "es, fr and de", "es, fr, and de", "es and fr and de"]
)
def test_several_targets_are_joined_by_comma_plus_ampersand_or_and(targets: str) -> None:
    assert parse(f"dub en to {targets}").targets == ("es", "fr", "de")


def test_the_order_of_targets_is_kept() -> None:
    assert parse("subs en to de,es").targets == ("de", "es")


def test_a_name_with_two_readings_is_refused() -> None:
    assert "two ways" in str(refusal("dub chinese traditional chinese"))
    assert "two ways" in str(refusal("dub-en-ca-es"))  # Canadian English to Spanish, or English to Catalan of Spain


def test_one_name_that_two_separators_read_differently_is_refused() -> None:
    words = Words({"tts": ("x", "x pt")})
    assert "two ways" in str(refusal("x-pt_pt", words=words))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Holiday 2024", "begins with no job"),
        ("en to es dub", "begins with no job"),
        ("dubber en to es", "begins with no job"),
        ("dub", "needs two languages"),
        ("dub to es", "needs two languages"),
        ("dub en to", "needs two languages"),
        ("dub en", "`dub` needs two languages, and `en` is one"),
        ("dub movie", "`movie` is no language"),
        ("dub german movie", "`movie` is no language"),
        ("dub german movie to es", "`german movie` is no language"),
        ("dub en es fr", "`es fr` is no language"),
        ("dub en,fr to es", "`en,fr` is no language"),
        ("dub en to es,", "a language is missing"),
        ("dub en to ,es", "a language is missing"),
        ("dub en to es,,fr", "a language is missing"),
        ("dub en to es,es", "`es` stands twice"),
        ("dub en to en", "same language"),
        ("dub en to es,English", "same language"),
        ("dub en-es", "`en-es` reads as English of Spain: write `en to es`"),
        ("dub en-es to fr", "reads as English of Spain"),
        ("dub kr to es", "`kr` is Kanuri; for Korean write `ko`"),
        ("dub en to to", "needs two languages"),
        ("erase es", "takes no languages"),
        ("face swap bob", "takes no languages"),
        ("tts en to es voice=x", "is no language"),
        ("translate", "Sound or text? `dub en to es` or `subs en to es`."),
        ("Translate en to fr", "Sound or text? `dub en to es` or `subs en to es`."),
        ("translate_en_to_fr", "Sound or text?"),
        ("dub en to es please", "is no language"),
        ("dub en to es/fr", "a slash"),
        ("dub en to es\uff0ffr", "a slash"),
        ("", "empty"),
        (" ", "empty"),
        ("()", "empty"),
        ("(dub en to es)", "empty"),
        ("dub en to es\n", "control character"),
        ("dub en to es\x00", "control character"),
        ("dub en to es\u202e", "invisible character"),
        ("dub en to es\udcff", "not UTF-8 (0xFF)"),
        ("dub en to es\ud800", "half a character"),
        ("dub " * 300, "1,000 at most"),
    ],
)
def test_what_is_not_understood_is_refused_with_the_reason(name: str, says: str) -> None:
    assert says in str(refusal(name))


def test_to_is_never_a_language() -> None:
    assert parse("dub en to Tongan").targets == ("to",)
    assert parse("dub en to Tongan").canonical() == "dub en to Tongan"


# --- label and copies


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("dub en to es (2)", "2"),
        ("dub en to es(2)", "2"),
        ("dub en to es (Mexico)", "Mexico"),
        ("dub en to es ()", None),
        ("dub en to es （第二）", "第二"),
        ("dub_en_to_es (2)", "2"),
        ("dub en to es ( a (b) )", "a (b)"),
        ("dub en to es voice=x (y)", "y"),
        ("dub en to es (\ufb01lm)", "\ufb01lm"),
    ],
)
def test_the_label_is_the_users_own_and_changes_nothing(name: str, label: str | None) -> None:
    order = parse(name)
    assert order.label == label
    assert (order.task, order.source, order.targets) == (EN_ES.task, EN_ES.source, EN_ES.targets)


def test_a_group_that_is_part_of_a_language_is_no_label() -> None:
    assert parse("dub en to Portuguese (Brazil)").label is None
    assert parse("dub en to Portuguese (Brazil) (2)") == Order(TaskType.VIDEO_TRANSLATION, "en", ("pt-BR",), label="2")


def test_a_label_after_a_named_language_does_not_become_part_of_it() -> None:
    order = Order(TaskType.VIDEO_TRANSLATION, "en", ("kr",), label="Nigeria")
    assert order.canonical() == "dub en to Kanuri hold=no (Nigeria)"
    assert parse(order.canonical()) == order


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("dub en to es - Copy", "dub en to es (2)"),
        ("dub en to es copy", "dub en to es (2)"),
        ("dub en to es COPY", "dub en to es (2)"),
        ("dub en to es copy 3", "dub en to es (2)"),
        ("dub en to es - Copy (2)", "dub en to es (2)"),
        ("dub en to es - Kopie", "dub en to es (2)"),
        ("dub en to es 副本", "dub en to es (2)"),
        ("dub_en_to_es - Copy", "dub en to es (2)"),
        ("dub en to es (2) - Copy", "dub en to es (3)"),
        ("dub en to es (mine) - Copy", "dub en to es (mine 2)"),
        ("tts es - Copy", "tts es voice=Maria (2)"),
    ],
)
def test_a_file_managers_copy_is_refused_with_the_mend(name: str, mend: str) -> None:
    error = refusal(name)
    assert f"add a label: `{mend}`" in str(error)
    assert error.suggestion == mend


def test_a_copy_of_what_was_no_order_is_told_the_real_reason() -> None:
    assert "begins with no job" in str(refusal("Holiday - Copy"))


# --- words of the user's language


@pytest.mark.parametrize(
    "name", ["doblar en a es", "Doblar en nach es", "dub en zu es", "voz-en-off en to es", "doblar_en_a_es", "doblar en es"]
)
def test_words_of_the_users_language(name: str) -> None:
    assert parse(name, SPANISH_WORDS) == EN_ES


def test_a_users_word_for_to_may_also_be_a_language() -> None:
    assert parse("dub zu to en", SPANISH_WORDS).source == "zu"
    assert parse("dub en to zu", SPANISH_WORDS).targets == ("zu",)


def test_a_users_word_may_be_translate() -> None:
    assert parse("translate en to es", Words({"dub": ("translate",)})) == EN_ES


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({"dubb": ("x",)}, "is no job word"),
        ({"dub": ("subs",)}, "already a word of subtitle translation"),
        ({"dub": ("lip sync now",)}, "already a word of lip sync"),
        ({"dub": ("to",)}, "already a word of to"),
        ({"dub": ("a=b",)}, "cannot be told apart"),
        ({"to": ("and",)}, "cannot be told apart"),
        ({"to": ("--",)}, "cannot be told apart"),
        ({"to": ("",)}, "empty"),
        ({"dub": ("doblar",), "subs": ("Doblar",)}, "already a word of video translation"),
    ],
)
def test_words_that_could_not_be_told_apart_are_refused(extra: dict[str, tuple[str, ...]], says: str) -> None:
    with pytest.raises(OrderError, match=says):
        Words(extra)


def test_words_compare_and_hash_by_what_they_say() -> None:
    assert Words({"Video-Translation": ("Doblar",)}) == Words({"video translation": ("doblar",)})
    assert hash(SPANISH_WORDS) == hash(Words(dict(SPANISH_WORDS.extra)))


# --- order-shaped


@pytest.mark.parametrize("name", ["dub en to es", "erase", "face swap", "tts es", "tts voice=x", "subs_en_to_es"])
def test_a_folder_that_is_a_whole_order_is_order_shaped(name: str) -> None:
    assert is_order_shaped(name)


@pytest.mark.parametrize("name", ["Subs", "speak", "Season 1", "dub", "dub en", "", "face", "subs en", "English", "x" * 2000])
def test_an_ordinary_folder_is_not_order_shaped(name: str) -> None:
    assert not is_order_shaped(name)


@pytest.mark.parametrize("name", ["dub en to nowhere at all", "dub en to nothing - Copy"])
def test_a_name_that_is_no_order_does_not_hold_what_its_caller_had_in_hand(name: str) -> None:
    """What is wrong with a name is kept, and asked for with every look at the inbox."""

    class Listing:
        """Of a large inbox, say."""

    def look() -> weakref.ref[Listing]:
        listing = Listing()
        with suppress(OrderError):
            parse(name)
        return weakref.ref(listing)

    held = look()
    gc.collect()
    assert held() is None
