"""When a file is complete, as far as the filesystem can tell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qavix_watch.core.files import Writer
from qavix_watch.core.stability import LONGEST_LOOK_SECONDS, Look, judge, patience, quiet_needed

SETTLE, REMOTE = 1.0, 10.0


def look(quiet: float = 100.0, writer: Writer = Writer.NONE, *, hole: bool = False, local: bool = True) -> Look:
    return Look(quiet, writer, hole, local)


def test_a_quiet_file_that_nobody_writes_is_complete() -> None:
    assert judge(look(1.0), SETTLE, REMOTE) is None


@pytest.mark.parametrize("one", [look(9.9, local=False), look(9.9, Writer.UNKNOWN)])
def test_where_the_kernel_cannot_tell_the_quiet_time_is_longer(one: Look) -> None:
    wait = judge(one, SETTLE, REMOTE)
    assert wait is not None
    assert wait.seconds == pytest.approx(0.1)
    assert quiet_needed(one, SETTLE, REMOTE) == REMOTE


@pytest.mark.parametrize(
    ("one", "why"), [(look(0.5), "moment ago"), (look(writer=Writer.OPEN), "open for writing"), (look(hole=True), "hole")]
)
def test_what_is_not_complete_says_why(one: Look, why: str) -> None:
    wait = judge(one, SETTLE, REMOTE)
    assert wait is not None
    assert why in wait.why


@given(st.floats(0, 10**7), st.sampled_from(Writer), st.booleans(), st.booleans())
def test_nothing_is_ever_taken_early_and_no_wait_is_endless(quiet: float, writer: Writer, hole: bool, local: bool) -> None:
    one = Look(quiet, writer, hole, local)
    wait = judge(one, SETTLE, REMOTE)
    if wait is None:
        assert not hole
        assert writer is not Writer.OPEN
        assert quiet >= (SETTLE if local and writer is Writer.NONE else REMOTE)
    else:
        assert 0 < wait.seconds <= LONGEST_LOOK_SECONDS


def test_what_has_not_changed_for_long_is_looked_at_seldom() -> None:
    assert [patience(quiet, SETTLE) for quiet in (0, 5, 100, 10**6)] == [1, 1, 10, 30]
