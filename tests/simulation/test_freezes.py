"""A freeze, longer than a lease, at every point of a quiet life at which it can make a difference."""

from __future__ import annotations

import pytest

from tests.simulation.quiet import MEANWHILE, QUIET_LIVES
from tests.simulation.sweeps import QuietLife, sweep, told

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("quiet", QUIET_LIVES, ids=lambda quiet: quiet.name)
def test_no_law_is_broken_wherever_a_machine_freezes(quiet: QuietLife) -> None:
    """With two machines the other one takes over, and the frozen one wakes as a zombie."""
    fallen = sweep(quiet, "freeze", every=len(quiet.machines) > 1)
    assert not fallen, told(fallen)


@pytest.mark.parametrize("quiet", MEANWHILE, ids=lambda quiet: quiet.name)
def test_what_wakes_does_not_act_by_what_it_knew(quiet: QuietLife) -> None:
    fallen = sweep(quiet, "freeze", every=True)
    assert not fallen, told(fallen)
