"""The nearest valid name: what a READ-ME asks "did you mean"."""

from __future__ import annotations

import pytest

from qavix_watch.core.grammar import Words, nearest


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("dub en to es", "dub en to es"),
        ("Dub English to Spanish (2)", "dub en to es (2)"),
        ("dubb en to es", "dub en to es"),
        ("dup en to es", "dub en to es"),
        ("dubbing en to es", "dub en to es"),
        ("subtitels en to es", "subs en to es"),
        ("captions english spanish", "subs en to es"),
        ("voice over", None),
        ("en to es", "dub en to es"),
        ("en to es dub", "dub en to es"),
        ("dub from en to es", "dub en to es"),
        ("dub to es from en", "dub en to es"),
        ("dub en -> es", "dub en to es"),
        ("dub en → es", "dub en to es"),
        ("dub en-es", "dub en to es"),
        ("dub es", "dub en to es"),
        ("dub en", "dub en to es"),
        ("dub", "dub en to es"),
        ("dub jp to kr", "dub ja to ko"),
        ("dub Englisch to Französisch", "dub en to fr"),
        ("dub Englisch to Deutsh", "dub en to de"),
        ("dub spansh to germn", "dub es to de"),
        ("dub german movie to es", "dub de to es"),
        ("dub-en-to-es priority=high", "dub en to es priority=high"),
        ("dub en to es hold=true", "dub en to es hold=yes"),
        ("subs en to es embed=off", "subs en to es"),
        ("dub en to es priority=urgent", "dub en to es"),
        ("dub en to es voice=a voice=b", "dub en to es voice=a"),
        ("dub en to es mode=auto", "dub en to es"),
        ("dub en to es speed=fast", "dub en to es"),
        ("dub en to es prio=low", "dub en to es priority=low"),
        ("dub en to es lang=x", "dub en to es"),
        ("dub en to es (mine", "dub en to es"),
        ("dubb en to es (mine)", "dub en to es (mine)"),
        ("dub en to es - Copy", "dub en to es"),
        ("erase subtitles please", "erase"),
        ("erase region=top region=bottom region=middle now", "erase region=top region=bottom"),
        ("erase regions=top region=bottom de", "erase region=top"),
        ("erase mode=manual", "erase region=bottom"),
        ("remove", None),
        ("faceswop", "face swap"),
        ("swap faces", "face swap"),
        ("clone a voice name=Bob", "clone voice name=Bob"),
        ("tts", "tts voice=Maria"),
        ("tts in spanish", "tts es voice=Maria"),
        ("say spanish voice=Ann", "tts es voice=Ann"),
        ("translate en to fr", "dub en to fr"),
        ("dub brasilian portuguese to en", "dub pt to en"),
        ("dub\u202e en to es\udcff", "dub en to es"),
        ("dub chinese traditional chinese", "dub zh-Hant to zh"),
        ("Holiday 2024", None),
        ("New folder", None),
        ("", None),
        ("()", None),
        ("=", None),
        ("german film evening", None),
        ("subz", None),
    ],
)
def test_the_nearest_name(name: str, near: str | None) -> None:
    assert nearest(name) == near


def test_words_of_the_users_language_lead_to_suggestions_too() -> None:
    assert nearest("doblar en > es", Words({"dub": ("doblar",), "to": ("a",)})) == "dub en to es"
