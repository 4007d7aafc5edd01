"""Identity and the idempotency key. The golden keys below never change: a change would bill work twice."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qavix_watch.core.grammar import parse
from qavix_watch.core.identity import idempotency_key, identity, mark, mark_in, params_of, task_name
from qavix_watch.core.tasks import TaskType

ACCOUNT = "https://qavixi.com/qavix main"
MAIN, PARTNER = "a" * 64, "b" * 64

GOLDEN = [
    ("dub en to es", "es", None, [MAIN], 1),
    ("dub en to es voice=Maria", "es", "v_1", [MAIN], 1),
    ("dub en to es", "es", None, [MAIN], 2),
    ("subs en to es", "es", None, [MAIN], 1),
    ("subs en to es embed=yes", "es", None, [MAIN], 1),
    ("erase", None, None, [MAIN], 1),
    ("erase region=bottom region=0.1,0.2,0.3,0.4,watermark", None, None, [MAIN], 1),
    ("face swap", None, None, [MAIN, PARTNER], 1),
    ("lip sync", None, None, [MAIN, PARTNER], 1),
    ("clone voice", None, None, [MAIN], 1),
    ("tts es voice=Maria", "es", "v_1", [MAIN], 1),
]
KEYS = [
    "qx1-b02d334dafdb1c517a14927fd67e5d79a0bdaeb98ca4d69db0ddda33713d",
    "qx1-afb62749796780bd9dde8c427fab9bd509159eb49578ad290634f156422f",
    "qx1-ca5c851595863618e1dc157107e1dc52f66bcd9151a3ee4c2473c06fafc7",
    "qx1-f6315b21a31557114d853f15776b2d57f055333b2daf7e023cbfe288ba5f",
    "qx1-b0a84c0b4c1b577bbe14beabbf439b4508f7ba1a382ba4008630f7850dec",
    "qx1-91eaca9d4fc96694ab051fa69180a4747d4268fac7a58095a5eb98ae6f46",
    "qx1-cc738d4e8dec5fed33200bcfbaf0998b1b45261921b34a4516cceb944a6f",
    "qx1-c2ae98c5bfe896c46fe3673cf25a179040a261c4e0f60a943c318aad2ea9",
    "qx1-1e4bcd9ba2c6fd632dbb017431a372b73fdbfdd4a9c2f9aa7ff53481a4e5",
    "qx1-df229b6268e04b9573d66b0990c9da192d58956ac9547b0eb1d62fef8c15",
    "qx1-76febb064aca782d175a3755c8c18a6804249a1af8adfabf4649758e5cbc",
]


def key_of(name: str, target: str | None, voice: str | None, inputs: list[str], generation: int) -> str:
    order = parse(name)
    return idempotency_key(identity(ACCOUNT, order.task, params_of(order, target, voice, "clip"), inputs, generation))


@pytest.mark.parametrize(("case", "key"), list(zip(GOLDEN, KEYS, strict=True)))
def test_golden_keys_never_change(case: tuple[str, str | None, str | None, list[str], int], key: str) -> None:
    assert key_of(*case) == key


def test_the_identity_is_canonical_json() -> None:
    order = parse("erase region=bottom")
    text = identity(ACCOUNT, order.task, params_of(order, None, None, "clip"), [MAIN.upper()], 3)
    assert text == (
        '{"account":"https://qavixi.com/qavix main","generation":3,"inputs":["' + MAIN + '"],"params":{"erasure_mode":"manual",'
        '"normalized_regions":[{"height":0.2000,"type":2,"width":1.0000,"x":0.0000,"y":0.8000}]},"task":"smart_erasure"}'
    )


def test_every_difference_in_what_is_sent_makes_another_key() -> None:
    assert len({key_of(*case) for case in GOLDEN}) == len(GOLDEN)
    assert key_of("dub en to es", "es", None, [MAIN, PARTNER], 1) != key_of("dub en to es", "es", None, [PARTNER, MAIN], 1)


@pytest.mark.parametrize("name", ["dub en to es priority=high", "dub en to es hold=yes", "dub English to Spanish (mine)", "dub-en-to-es"])
def test_priority_hold_label_and_spelling_are_no_part_of_it(name: str) -> None:
    assert key_of(name, "es", None, [MAIN], 1) == key_of("dub en to es", "es", None, [MAIN], 1)


def test_the_order_of_regions_is_no_part_of_it() -> None:
    assert key_of("erase region=top region=bottom", None, None, [MAIN], 1) == key_of(
        "erase region=bottom region=top", None, None, [MAIN], 1
    )


def test_what_is_sent_has_every_default_made_explicit() -> None:
    assert params_of(parse("dub en to es"), "es", None, "clip") == {"source_language": "en", "target_language": "es"}
    assert params_of(parse("subs en to es"), "es", None, "clip")["embed_subtitle"] is False
    assert params_of(parse("erase"), None, None, "clip") == {"erasure_mode": "auto"}
    assert params_of(parse("face swap"), None, None, "clip") == {}
    assert params_of(parse("tts es voice=x"), "es", "v_1", "clip") == {"voice_id": "v_1", "language": "es"}
    assert params_of(parse("tts voice=x"), None, "v_1", "clip") == {"voice_id": "v_1"}
    assert params_of(parse("clone voice"), None, None, " clip\n") == {"name": "clip\ufffd"}
    assert params_of(parse("clone voice"), None, None, " ") == {"name": "voice"}
    assert params_of(parse("clone voice name=Bob"), None, None, "clip") == {"name": "Bob"}


def test_a_key_has_64_characters_and_its_mark_19() -> None:
    key = idempotency_key("{}")
    assert re.fullmatch(r"qx1-[0-9a-f]{60}", key)
    assert re.fullmatch(r"qx-[a-z2-7]{16}", mark(key))


def test_the_tasks_name_is_the_stem_and_the_mark() -> None:
    key = idempotency_key("{}")
    assert task_name("clip", key) == f"clip {mark(key)}"
    assert task_name("\x01", key) == f"\ufffd {mark(key)}"
    assert task_name(" ", key) == mark(key)
    assert mark_in(task_name("clip", key)) == mark(key)
    assert mark_in(task_name("", key)) == mark(key)
    assert mark_in("clip") is None
    assert mark_in(None) is None


@settings(deadline=None)
@given(st.text(st.characters(), max_size=300), st.integers(20, 250))
def test_a_tasks_name_is_valid_utf8_and_short_enough(stem: str, limit: int) -> None:
    key = idempotency_key(stem.encode("utf-8", "replace").decode())
    name = task_name(stem, key, limit)
    assert len(name.encode()) <= limit
    assert mark_in(name) == mark(key)
    assert "\n" not in name


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.text(max_size=5), max_size=4))
def test_the_order_of_fields_is_no_part_of_it(params: dict[str, str]) -> None:
    backwards = dict(reversed(list(params.items())))
    assert identity("a", TaskType.LIP_SYNC, params, [], 1) == identity("a", TaskType.LIP_SYNC, backwards, [], 1)
