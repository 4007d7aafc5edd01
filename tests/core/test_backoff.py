"""How long to wait before the next try."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qavix_watch.core.backoff import pause


def test_pauses_double_up_to_the_longest() -> None:
    assert [pause(tries, 0.0, first=2, longest=20) for tries in range(1, 7)] == [2, 4, 8, 16, 20, 20]


@given(st.integers(min_value=-5, max_value=10**9), st.floats(0, 1), st.floats(0.01, 100), st.floats(0.01, 10**5))
def test_a_pause_lies_between_half_and_the_whole_and_never_overflows(tries: int, jitter: float, first: float, longest: float) -> None:
    full = pause(tries, 0.0, first=first, longest=longest)
    assert 0 < full / 2 <= pause(tries, jitter, first=first, longest=longest) <= full <= longest
