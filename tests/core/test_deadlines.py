"""How long a task may take before people are told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qavix_watch.core.deadlines import LEAST_SECONDS, MOST_SECONDS, allowed_seconds, overdue_said
from qavix_watch.core.tasks import TaskType

HOUR = 3600.0


@pytest.mark.parametrize(
    ("task", "seconds", "letters", "hours"),
    [
        (TaskType.VIDEO_TRANSLATION, 0.0, None, 1.0),
        (TaskType.VIDEO_TRANSLATION, 600.0, None, 3.5),
        (TaskType.SUBTITLE_TRANSLATION, HOUR, None, 9.0),
        (TaskType.LIP_SYNC, HOUR, None, 31.0),
        (TaskType.FACE_SWAP, 24 * HOUR, None, 72.0),     # the most that anything may take
        (TaskType.VIDEO_TRANSLATION, None, None, 46.0),  # of unknown length
        (TaskType.TEXT_TO_SPEECH, None, 900, 1.4),       # three minutes, were they all ideographs
        ("of a kind to come", HOUR, None, 31.0),
    ],
)  # fmt: skip
def test_the_deadline_goes_by_what_is_done_and_how_long_it_is(task: str, seconds: float | None, letters: int | None, hours: float) -> None:
    assert allowed_seconds(task, seconds, letters) == pytest.approx(hours * HOUR)


@given(st.sampled_from(TaskType), st.floats(allow_nan=False) | st.none(), st.integers(0, 10**12) | st.none())
def test_whatever_a_file_says_of_its_length_the_deadline_stays_within_bounds(
    task: TaskType, seconds: float | None, letters: int | None
) -> None:
    assert LEAST_SECONDS <= allowed_seconds(task, seconds, letters) <= MOST_SECONDS


@pytest.mark.parametrize(("seconds", "words"), [(HOUR, "(1 hour)"), (3.6 * HOUR, "(4 hours)"), (72 * HOUR, "(3 days)")])
def test_people_read_how_long_it_should_have_taken(seconds: float, words: str) -> None:
    assert words in overdue_said(seconds)
