"""Each fault happens a few times, and nothing is lost, billed twice, or wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.rooms import FAULTS
from tests.faults.trial import play

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.fault import Fault

SEED = 5


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.full_name)
def test_what_breaks_costs_time_and_nothing_else(fault: Fault, tmp_path: Path) -> None:
    verdict = play(fault, fault.few, SEED, tmp_path)
    assert verdict.is_well, verdict.told
