"""What a life fails with, and when two of them fail in the same way."""

from __future__ import annotations

from tests.simulation import pretended
from tests.simulation.choices import Tape, Taped
from tests.simulation.outcomes import choices_of, law, lived


def test_the_same_law_is_broken_whatever_the_file_the_figures_and_the_place() -> None:
    assert law("Violation: A fence never falls.\njobs [{'id': 3}]") == law("Violation: A fence never falls.\njobs [{'id': 4}]")
    assert law("Endless: 200000 steps, 20328.050 s\nthe world: …") == "Endless: # steps, # s"
    assert law("Violation: the program on A2 ended: NoSpace('the state')") == "Violation: the program on A# ended: NoSpace"
    assert law("Violation: it did not come to rest: a job is open: [(3, 'ready')]") == "Violation: it did not come to rest: a job is open"
    assert law("Unhandled: Exception in callback Service._arrive(Fate(…), 0x7f4c)") == "Unhandled: Exception in callback Service._arrive"


def test_the_lives_of_two_seeds_do_not_meet() -> None:
    assert len({choices_of(seed, number).seed for seed in range(20) for number in range(50)}) == 1_000


def test_the_tape_of_a_life_that_raises_is_that_of_its_choices() -> None:
    ended = lived(pretended.raises, Taped(Tape({("people", 0): 3})))
    assert ended.tape == Tape({("people", 0): 3}, "ZeroDivisionError: in the middle of a life")
    assert ended.failure is not None
    assert "pretended.py" in ended.failure


def test_of_a_life_that_goes_well_no_tape_is_kept() -> None:
    assert len(lived(pretended.well, choices_of(1, 1)).tape) == 0
