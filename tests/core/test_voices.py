"""From the voice that an order names to the id of one voice."""

from __future__ import annotations

import pytest

from qavix_watch.core.service import Voice
from qavix_watch.core.voices import resolve
from qavix_watch.errors import OrderError

KNOWN = (
    Voice("v-1", "Maria Clara", type="system"),
    Voice("v-2", "Ada", type="cloned"),
    Voice("v-3", "Twin", type="cloned"),
    Voice("v-4", "twin", type="system"),
    Voice("Ada", "somebody", type="system"),
)


def test_an_id_is_an_id_even_where_it_is_a_name_as_well() -> None:
    assert resolve("v-2", KNOWN, ["es"]) == "v-2"
    assert resolve("Ada", KNOWN, ["es"]) == "Ada"


@pytest.mark.parametrize("name", ["Maria Clara", "maria-clara", "MARIA_CLARA", "mariaclara"])
def test_case_spaces_and_dashes_of_a_name_do_not_matter(name: str) -> None:
    assert resolve(name, KNOWN, ["es"]) == "v-1"


def test_an_unknown_voice_is_named() -> None:
    with pytest.raises(OrderError, match="Nobody"):
        resolve("Nobody", KNOWN, ["es"])


def test_the_nearest_names_of_an_unknown_voice_are_given_or_those_that_there_are() -> None:
    with pytest.raises(OrderError) as slip:
        resolve("maria klara", KNOWN, ["es"])
    assert slip.value.hint == "Did you mean “Maria Clara”?"
    with pytest.raises(OrderError) as stranger:
        resolve("Xuxu", KNOWN, ["es"])
    assert stranger.value.hint == "There are Maria Clara, Ada, twin, somebody."
    with pytest.raises(OrderError) as among_many:
        resolve("Xuxu", [*KNOWN, *(Voice(f"n-{name}", name) for name in ("Bob", "Eve", "Kim"))], ["es"])
    assert among_many.value.hint == "There are Maria Clara, Ada, twin, somebody, Bob and others; `qavix-watch voices` lists them all."
    with pytest.raises(OrderError) as nobody:
        resolve("Xuxu", [], ["es"])
    assert nobody.value.hint == ""


def test_two_of_one_name_are_listed_with_their_ids() -> None:
    with pytest.raises(OrderError) as found:
        resolve("Twin", KNOWN, ["es"])
    assert "v-3" in found.value.hint
    assert "v-4" in found.value.hint


def test_a_system_voice_speaks_one_language_and_a_cloned_one_any() -> None:
    with pytest.raises(OrderError) as found:
        resolve("v-1", KNOWN, ["es", "de"])
    assert 'voice.de = "…"' in found.value.hint
    assert resolve("v-2", KNOWN, ["es", "de"]) == "v-2"
    assert resolve("v-1", KNOWN, []) == "v-1"
