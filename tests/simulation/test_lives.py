"""Five hundred lives of a fixed seed, in all of which every law holds, and in which everything happens that can."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulation import report
from tests.simulation.living import live
from tests.simulation.runner import run

if TYPE_CHECKING:
    from pathlib import Path

LIVES, SEED = 500, 4


@pytest.mark.slow
def test_every_law_holds_in_all_lives_and_everything_that_can_happen_does(tmp_path: Path) -> None:
    tally = run(live, LIVES, SEED, processes=1)
    if tally.failing:
        told = report.failure(tally.failing[0], report.kept(tally.failing[0], tmp_path))
        pytest.fail(f"{told}\n\nAgain: make simulate LIVES={LIVES} SEED={SEED}")
    assert tally.missing == []
    assert tally.lives == LIVES
