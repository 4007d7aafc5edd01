"""The keys of an order: in its name, and in the qavix.toml files below it."""

from __future__ import annotations

import pytest

from qavix_watch.core.grammar import Words, parse, partial, read_order
from qavix_watch.core.options import Options, parse_options
from qavix_watch.core.regions import NAMED, Region
from qavix_watch.errors import OrderError


def refusal(name: str, *options: Options | None, words: Words | None = None) -> OrderError:
    with pytest.raises(OrderError) as caught:
        read_order(name, options, words or Words())
    return caught.value


# --- keys


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("dub en to es voice=Maria Clara", "voice", "Maria Clara"),
        ("dub en to es voice = Maria Clara  priority = HIGH", "voice", "Maria Clara"),
        ("dub en to es VOICE=Maria", "voice", "Maria"),
        ("dub_en_to_es_voice=maria_clara", "voice", "maria_clara"),
        ("dub__en__to__es__voice=maria_clara__hold=yes", "voice", "maria_clara"),
        ("dub en to es voice=abc==", "voice", "abc=="),
        ("dub en to es priority=High", "priority", "high"),
        ("dub en to es priority=low voice=x", "priority", "low"),
        ("dub en to es hold=YES", "hold", True),
        ("dub en to es hold=no", "hold", False),
        ("subs en to es embed=yes", "embed", True),
        ("subs en to es", "embed", False),
        ("clone voice name=Bob Smith", "voice_name", "Bob Smith"),
        ("clone-voice-name=Bob-Smith", "voice_name", "Bob-Smith"),
        ("clone voice", "voice_name", None),
        ("erase", "mode", "auto"),
        ("erase region=bottom", "mode", "manual"),
        ("erase mode=protect region=bottom", "mode", "protect"),
        ("erase mode=auto region=bottom", "mode", "auto"),
        ("erase region=bottom", "regions", (NAMED["bottom"],)),
        ("erase region=top region=bottom region=top", "regions", (NAMED["top"], NAMED["bottom"])),
        ("erase_region=top-left", "regions", (NAMED["top-left"],)),
        ("erase-region=top-left", "regions", (NAMED["top-left"],)),
        ("erase region=0, 0.8, 1, .2", "regions", (NAMED["bottom"],)),
        ("erase region=0,0,.5,.5,watermark", "regions", (Region(0, 0, 0.5, 0.5, "watermark"),)),
        ("tts voice=Maria", "targets", ()),
        ("tts es voice=Maria", "targets", ("es",)),
        ("speak Spanish (Mexico) voice=Maria", "targets", ("es-MX",)),
    ],
)
def test_keys_say_what_the_languages_do_not(name: str, field: str, value: object) -> None:
    assert getattr(parse(name), field) == value


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("dub en to es voice=", "`voice=` says nothing"),
        ("dub en to es voice= hold=yes", "`voice=` says nothing"),
        ("dub en to es voice=a voice=b", "`voice=` stands twice"),
        ("dub en to es mode=auto", "`mode=` means nothing for `dub`"),
        ("dub en to es voice.es=a", "`voice.es=` cannot stand in a name"),
        ("erase voice.es=a", "`voice.es=` is no key"),
        ("dub en to es lang=x", "`lang=` is no key"),
        ("dub =x", "Nothing stands before `=`"),
        ("dub en to es priority=urgent", "one of high, normal, low"),
        ("dub en to es priority=high please", "one of high, normal, low"),
        ("dub en to es hold=maybe", "only `hold=yes` and `hold=no`"),
        ("erase mode=magic", "one of auto, manual, protect"),
        ("erase mode=manual", "`mode=manual` needs a region"),
        ("erase mode=protect", "`mode=protect` needs a region"),
        ("erase region=middle", "no region"),
        ("tts es", "`tts` needs a voice"),
        ("dub en to es voice=" + "x" * 201, "201 characters"),
    ],
)
def test_a_key_that_cannot_be_used_is_refused(name: str, says: str) -> None:
    assert says in str(refusal(name))


def test_a_refused_key_names_those_that_the_job_takes() -> None:
    assert refusal("subs en to es mode=auto").hint == "`subs` takes `embed=`, `priority=`, `hold=`."


# --- qavix.toml below the name


def test_nearest_wins_key_by_key() -> None:
    far = parse_options(b'priority = "high"\nvoice = "A"', "far")
    near = parse_options(b'voice = "B"', "near")
    order = read_order("dub en to es hold=yes", [None, far, near])
    assert (order.priority, order.voice, order.hold) == ("high", "B", True)


def test_what_the_name_says_yields_to_a_sub_folder_but_not_to_its_own_file() -> None:
    file = parse_options(b'priority = "low"', "qavix.toml")
    assert read_order("dub en to es priority=high", [None, file]).priority == "low"
    error = refusal("dub en to es priority=high", file)
    assert str(error) == "The folder's name and qavix.toml, line 1 say different things about `priority`."
    assert error.suggestion is None
    assert read_order("dub en to es priority=low", [file]).priority == "low"


def test_voices_per_language_come_from_a_file() -> None:
    file = parse_options(b'voice.es = "Maria"\nvoice.fr-CA = "Luc"\n', "qavix.toml")
    order = read_order("dub en to es,fr-CA,de", [file])
    assert [order.voice_for(tag) for tag in order.targets] == ["Maria", "Luc", None]
    assert order.canonical() == "dub en to es,fr-CA,de"
    assert "Maria for Spanish and Luc for French (Canada)" in order.describe()


def test_a_voice_for_a_language_serves_its_regions_and_settles() -> None:
    file = parse_options(b'voice.es = "Maria"', "qavix.toml")
    assert read_order("dub en to es-MX", [file]) == read_order("dub en to es-MX voice=Maria", [])
    mixed = read_order("dub en to es,fr voice=Luc", [None, file])
    assert (mixed.voice, mixed.voices) == ("Luc", (("es", "Maria"),))
    assert read_order("dub en to es,fr voice=Maria", [None, file]).voices == ()


def test_a_nearer_voice_for_all_hides_those_per_language() -> None:
    far, near = parse_options(b'voice.es = "Maria"', "far"), parse_options(b'voice = "Luc"', "near")
    assert read_order("dub en to es,fr", [far, near]).voices == ()
    assert read_order("dub en to es,fr", [near, far]).voice_for("es") == "Maria"


def test_a_voice_for_a_language_that_is_not_asked_for_is_refused() -> None:
    assert "none of this order's target languages" in str(refusal("dub en to es", parse_options(b'voice.fr = "Luc"', "x")))
    assert "none of this order's" in str(refusal("tts voice=x", None, parse_options(b'voice.fr = "Luc"', "x")))


def test_a_name_is_suggested_only_where_the_name_is_at_fault() -> None:
    assert refusal("dub en to es", parse_options(b'voice.fr = "Luc"', "x")).suggestion is None
    assert refusal("tts es", parse_options(b"hold = true", "x")).suggestion == "tts es voice=Maria"


def test_the_voice_of_text_to_speech_may_come_from_a_file() -> None:
    assert partial("tts es").targets == ("es",)
    assert read_order("tts es", [parse_options(b'voice.es = "Maria"', "x")]).voice == "Maria"
    assert read_order("tts", [parse_options(b'voice = "Maria"', "x")]).voice == "Maria"


def test_keys_of_a_file_that_the_job_does_not_know_are_refused() -> None:
    error = refusal("dub en to es", None, parse_options(b'\nmode = "auto"', "sub/qavix.toml"))
    assert str(error) == "sub/qavix.toml, line 2: `mode` means nothing for `dub`."
    assert error.hint == "`dub` takes `voice`, `priority`, `hold`."


def test_regions_of_a_sub_folder_replace_those_of_the_name() -> None:
    assert read_order("erase region=top", [None, parse_options(b"region = []", "x")]).mode == "auto"
    order = read_order("erase region=top", [None, parse_options(b'region = "bottom"', "x")])
    assert order.regions == (NAMED["bottom"],)
