"""A kill and a power cut at every point of a quiet life of each kind of job at which it can make a difference."""

from __future__ import annotations

import pytest

from tests.simulation.machines import FREEZE, KILL
from tests.simulation.quiet import QUIET_LIVES
from tests.simulation.sweeps import LONGER_THAN_A_LEASE, Point, QuietLife, disturbed, points, sweep, swept, told

LIFE = QuietLife("a life", {("shape: callbacks", 0): 1})
PASSED = [Point(0, 0.0, 3), Point(1, 0.0, 3), Point(2, 1.0, 4), Point(3, 1.0, 4), Point(4, 2.0, 9)]


def test_a_death_is_lived_once_where_nothing_has_changed_between() -> None:
    assert list(swept(PASSED, 0.0, every=False)) == [0, 2, 4]
    assert list(swept(PASSED, 0.0, every=True)) == [0, 1, 2, 3, 4]


def test_what_came_before_a_life_of_its_own_is_left_out() -> None:
    assert list(swept(PASSED, 1.0, every=False)) == [2, 4]


def test_each_tape_disturbs_one_point_and_says_which() -> None:
    kills, freezes = (list(disturbed(LIFE, how, {"A": PASSED})) for how in ("kill", "freeze"))
    assert [tape.about for tape in kills] == [f"a life: kill at point {at} of A" for at in (0, 2, 4)]
    assert kills[1].decisions == {("shape: callbacks", 0): 1, ("death A", 2): KILL}
    assert freezes[1].decisions == {("shape: callbacks", 0): 1, ("death A", 2): FREEZE, ("freeze A", 0): LONGER_THAN_A_LEASE}


def test_a_life_that_fails_when_it_is_quiet_is_not_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.simulation.sweeps.through", lambda world: world.loop.close() or "it fell")
    with pytest.raises(AssertionError, match="fails by itself: it fell"):
        points(LIFE)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["kill", "power cut"])
@pytest.mark.parametrize("quiet", QUIET_LIVES, ids=lambda quiet: quiet.name)
def test_no_law_is_broken_wherever_a_machine_dies(quiet: QuietLife, how: str) -> None:
    fallen = sweep(quiet, how)
    assert not fallen, told(fallen)
