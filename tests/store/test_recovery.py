"""What a lost state has to make good is durable, and what the service's list shows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qavix_watch.core.lifecycle import JobState
from qavix_watch.core.records import ListedTask
from tests.store.conftest import NOW, State

if TYPE_CHECKING:
    from collections.abc import Callable

MARK = "qx-aaaaaaaaaaaaaaaa"


def listed(task_id: str, mark: str = MARK, **more: Any) -> ListedTask:
    given = {"task_type": "video_translation", "source": "en", "language": "es", "status": "completed", "progress": 100, **more}
    return ListedTask(mark=mark, task_id=task_id, created_at=5.0, credits_used=None, **given)


def test_losses_are_numbered_and_say_how_they_were_noticed(state: State, states: Callable[..., State]) -> None:
    assert (state.act(lambda tx: tx.recovery.last_loss()), state.act(lambda tx: tx.recovery.why())) == (0, "")
    for number in (1, 2):
        state.act(lambda tx, number=number: tx.recovery.declare(NOW, f"loss {number}"))
    for account in ("", "another account of the same state"):
        other = states(account)
        assert (other.act(lambda tx: tx.recovery.last_loss()), other.act(lambda tx: tx.recovery.why())) == (2, "loss 2")


def test_listed_tasks_are_found_by_their_mark_unless_a_job_has_them(state: State, states: Callable[..., State]) -> None:
    assert not state.act(lambda tx: tx.recovery.knows_any())
    tasks = [listed("1"), listed("2"), listed("3", "qx-bbbbbbbbbbbbbbbb"), listed("1", progress=50)]
    state.act(lambda tx: tx.recovery.remember(tasks))
    state.job(task_id="2")
    assert state.act(lambda tx: tx.recovery.knows_any())
    assert state.act(lambda tx: tx.recovery.listed(MARK)) == [tasks[3]]
    other = states("another account")
    assert not other.act(lambda tx: tx.recovery.knows_any())
    other.act(lambda tx: tx.recovery.forget())
    assert state.act(lambda tx: tx.recovery.listed(MARK))
    state.act(lambda tx: tx.recovery.forget())
    assert not state.act(lambda tx: tx.recovery.knows_any())


def test_what_waits_for_a_task_and_is_in_nobodys_hand(state: State) -> None:
    numbers = {each: state.job(each, each) for each in JobState}
    state.take("job", (JobState.SUBMITTING,))
    found = state.act(lambda tx: tx.recovery.waiting())
    assert [job.id for job in found] == [numbers[JobState.READY], numbers[JobState.UPLOADING]]


def test_what_a_brake_says_may_change_while_it_is_on(state: State) -> None:
    state.act(lambda tx: tx.brakes.say("recovery", "", "nothing"))
    state.act(lambda tx: tx.brakes.pull("recovery", "", "one", "", NOW, NOW + 5))
    state.act(lambda tx: tx.brakes.say("recovery", "", "two"))
    (brake,) = state.act(lambda tx: tx.brakes.on())
    assert (brake.why, brake.until, brake.count) == ("two", NOW + 5, 1)
