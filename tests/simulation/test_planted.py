"""The simulation finds what it is there to find: defects of production code that are planted for it."""

from __future__ import annotations

import pytest

from tests.simulation.mutants import MUTANTS, Mutant, Soil

every_mutant = pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)


class House:
    def door(self) -> str:
        return "shut"


def test_what_is_planted_is_dug_up_again() -> None:
    soil, house = Soil(), House()
    soil.put(House, "door", lambda _self: "open")
    assert house.door() == "open"
    soil.dig_up()
    assert house.door() == "shut"


def test_a_mutant_of_code_that_has_moved_on_does_not_pass_for_one() -> None:
    with pytest.raises(KeyError, match="window"):
        Soil().put(House, "window", None)


@every_mutant
def test_a_mutant_is_one_defect_and_leaves_no_trace(mutant: Mutant) -> None:
    with mutant.planted() as soil:
        before = list(soil.before)
        assert all(vars(owner)[name] is not was for owner, name, was in before)
    assert before
    assert all(vars(owner)[name] is was for owner, name, was in before)
    assert mutant.defect.endswith(".")


def test_mutants_are_told_apart_by_their_names() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
