"""The faults as tests: each happens a few times, and nothing is lost, billed twice, or wrong. One file of tests a room, so that rooms are
played side by side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.rooms import FAULTS
from tests.faults.trial import play

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

    from tests.faults.fault import Fault

SEED = 5


def each_of(*rooms: ModuleType) -> Callable[..., None]:
    """A test of each fault that stands in these rooms."""
    names = [room.__name__ for room in rooms]
    faults = [fault for fault in FAULTS if fault.play.__module__ in names]

    @pytest.mark.slow
    @pytest.mark.parametrize("fault", faults, ids=lambda fault: fault.full_name)
    def costs_time_and_nothing_else(fault: Fault, tmp_path: Path) -> None:
        verdict = play(fault, fault.few, SEED, tmp_path)
        assert verdict.is_well, verdict.told

    return costs_time_and_nothing_else
