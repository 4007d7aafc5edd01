"""The law: which state may follow which, in each of the lifecycles on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qavix_watch.core.lifecycle import (
    DROP_AT_REST,
    DROP_LIVE,
    TRANSITIONS,
    ContentState,
    DeliveryState,
    DropState,
    DutyState,
    JobState,
    may_follow,
    shown,
)

if TYPE_CHECKING:
    from enum import StrEnum

KINDS = (DropState, ContentState, JobState, DeliveryState, DutyState)
EVERY = [state for kind in KINDS for state in kind]


@given(st.sampled_from(EVERY), st.sampled_from(EVERY))
def test_nothing_leads_from_one_lifecycle_into_another(one: StrEnum, other: StrEnum) -> None:
    """Some states of two lifecycles bear the same name."""
    if type(one) is not type(other):
        assert not may_follow(one, other)


@pytest.mark.parametrize("state", EVERY)
def test_a_save_on_the_way_is_no_transition(state: StrEnum) -> None:
    assert may_follow(state, state)


@pytest.mark.parametrize("kind", KINDS)
def test_each_table_speaks_of_its_own_states_alone(kind: type[StrEnum]) -> None:
    table = TRANSITIONS.get(kind, {})
    assert {type(state) for state in table} <= {kind}
    assert {type(state) for following in table.values() for state in following} <= {kind}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (JobState.FAILED, JobState.READY),            # retried under its own key
        (JobState.DONE, JobState.FETCHING),           # its results are wanted again
        (JobState.CANCELLED, JobState.PROCESSING),    # wanted again after it was submitted
        (DropState.FAILED, DropState.DELIVERING),     # a retry that succeeds archives it from there
        (DeliveryState.FAILED, DeliveryState.PENDING),
        (ContentState.STORED, ContentState.ABSENT),   # the service has forgotten it
    ],
)
def test_what_ended_may_begin_again_where_the_product_says_so(before: StrEnum, after: StrEnum) -> None:
    assert may_follow(before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (DropState.ARCHIVED, DropState.WAITING),
        (DropState.DELIVERING, DropState.ARCHIVED),   # never without being put away
        (DropState.WAITING, DropState.DELIVERING),
        (JobState.PROCESSING, JobState.SUBMITTING),   # what is submitted is never submitted again
        (JobState.DONE, JobState.READY),
        (DeliveryState.DONE, DeliveryState.PENDING),
    ],
)
def test_what_must_not_happen_is_not_in_the_table(before: StrEnum, after: StrEnum) -> None:
    assert not may_follow(before, after)


def test_every_drop_is_either_live_or_at_rest() -> None:
    assert {*DROP_LIVE, *DROP_AT_REST} == set(DropState)
    assert not {*DROP_LIVE} & {*DROP_AT_REST}


def test_every_live_state_of_a_drop_leads_to_rest() -> None:
    for state in DROP_LIVE:
        reached, left = {state}, [state]
        while left:
            for following in TRANSITIONS[DropState].get(left.pop(), ()):
                if following not in reached:
                    reached.add(following)
                    left.append(following)
        assert reached & {*DROP_AT_REST}


@pytest.mark.parametrize(
    ("drop", "job", "delivery", "word"),
    [
        (None, None, None, "waiting"),
        (DropState.SETTLED, None, None, "waiting"),
        (DropState.ARCHIVING, None, None, "fetching"),
        (DropState.ARCHIVED, None, None, "done"),
        (DropState.FAILED, None, None, "failed"),
        (DropState.GONE, None, None, "cancelled"),
        (DropState.DELIVERING, JobState.PROCESSING, DeliveryState.PENDING, "processing"),
        (DropState.DELIVERING, JobState.DONE, DeliveryState.PENDING, "fetching"),
        (DropState.ARCHIVED, JobState.DONE, DeliveryState.DONE, "done"),
    ],
)
def test_people_see_one_word(drop: DropState | None, job: JobState | None, delivery: DeliveryState | None, word: str) -> None:
    assert shown(drop, job, delivery) == word
