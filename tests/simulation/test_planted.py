"""The simulation finds what it is there to find: defects of production code that are planted for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.simulation import pretended
from tests.simulation.bringing import a_file
from tests.simulation.choices import Tape
from tests.simulation.invariants import NO_DEFECTS
from tests.simulation.living import live
from tests.simulation.mutants import MUTANTS, Mutant, Soil, hunting
from tests.simulation.mutants.__main__ import main
from tests.simulation.mutants.among import ANY, calm

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


# What is found


@every_mutant
def test_a_mutant_is_found_by_a_law_within_its_lives(mutant: Mutant) -> None:
    """And by the defect: the same life without it goes well."""
    found = hunting.hunt(mutant)
    assert found is not None, f"no law is broken within {mutant.within} of {mutant.among.says}"
    assert found.without is None, f"life {found.number} of {mutant.among.says} fails without the defect too"
    assert found.law, f"life {found.number} of {mutant.among.says} breaks no law: {found.failure}"


def harmless(within: int = 2) -> Mutant:
    return Mutant("harmless", "It changes nothing.", within, ANY, lambda soil: None)


def test_what_does_no_harm_is_not_found() -> None:
    assert hunting.hunt(harmless()) is None


def test_a_life_that_fails_without_the_defect_shows_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hunting, "live", pretended.forgets)
    found = hunting.hunt(harmless())
    assert found is not None
    assert (found.number, found.without, found.law) == (1, "Violation: not on the tape", "")


def test_a_life_that_fails_by_no_law_shows_nothing_either() -> None:
    found = hunting.Found(3, "Violation: A fence never falls.\njobs []", None, 1.0, Tape())
    assert found.law == "A fence never falls."
    assert not replace(found, failure="Endless: 200000 steps").law


def test_a_defect_that_raises_is_one_that_the_code_has_left_behind() -> None:
    assert not hunting.Found(3, f"Violation: {NO_DEFECTS}\nerror: {{}}", None, 1.0, Tape()).law


def test_calm_lives_are_quiet_but_for_what_is_said_of_them() -> None:
    among = calm("lives of a test", a_file, **{"task takes": (1,)}, drawn=("travel there",))
    first = next(among.lives())
    assert live(first).failure is None
    drawn = {stream for stream, _ in first.taken}
    assert drawn == {"order", "travel there", "task takes", "Ann: does more", "Ann: does", "Ann: waits"}


# The command


def test_the_command_tells_what_was_found_and_how(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stops nothing", "--story", "--processes", "1"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "1 of 1 found" in shown
    assert "lives in which Ann says pause" in shown
    assert "Ann says: pause" in shown
    assert "Violation: No new work is begun while it is paused." in shown


def test_the_command_says_which_names_there_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no such defect"]) == 2
    assert "no such defect" in capsys.readouterr().err
