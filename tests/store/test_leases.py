"""Claims by lease and fence, and transitions that check what they come from."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.core.lifecycle import DropState, DutyState, JobState
from qavix_watch.errors import Fenced
from qavix_watch.store.work import KINDS
from tests.store.conftest import NOW, ORDER, State, stat

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_claim_takes_due_work_once_and_counts_it(state: State) -> None:
    state.drop()
    (claim,) = state.take()
    assert (claim.owner, claim.row.fence, claim.row.claims) == ("node:1", 1, 1)
    assert claim.id == claim.row.id
    assert state.take(now=NOW + 59) == []
    row = state.row("drops", claim.id)
    assert (row["owner"], row["lease_until"], row["due"]) == ("node:1", NOW + 60, NOW + 60)


def test_what_is_not_due_or_in_another_state_is_left_alone(state: State) -> None:
    state.drop(now=NOW + 1)
    assert state.take() == []
    assert state.take(states=[DropState.SETTLED], now=NOW + 2) == []
    state.put("drops", 1, due=None)
    assert state.take(now=NOW + 1000) == []


def test_the_lease_of_a_dead_owner_is_taken_over_and_its_claims_are_counted_on(state: State) -> None:
    state.drop()
    (first,) = state.take()
    (second,) = state.take(now=NOW + 60, owner="node:2")
    assert (second.row.fence, second.row.claims) == (first.row.fence + 1, 2)
    with pytest.raises(Fenced):
        state.settle(first, DropState.SETTLED)
    with pytest.raises(Fenced):
        state.act(lambda tx: tx.work.keep(first, {"reason": "zombie"}))
    assert state.row("drops", 1)["reason"] == ""
    state.settle(second, DropState.SETTLED)
    assert state.row("drops", 1)["claims"] == 0


def test_the_same_owner_with_an_older_fence_is_refused_too(state: State) -> None:
    state.drop()
    (first,) = state.take()
    state.take(now=NOW + 60)
    with pytest.raises(Fenced):
        state.settle(first, DropState.SETTLED)


def test_what_this_process_still_has_in_hand_is_not_claimed_again(state: State) -> None:
    for number in range(4):
        state.drop(b"f/%d.mp4" % number)
    ids = [claim.id for claim in state.take(limit=2, but={1, 2})]
    assert ids == [3, 4]


def test_higher_priority_comes_first_then_what_is_due_longer(state: State) -> None:
    state.drop(b"f/low.mp4", priority=-1, now=NOW - 9)
    state.drop(b"f/late.mp4", now=NOW - 1)
    state.drop(b"f/early.mp4", now=NOW - 5)
    state.drop(b"f/high.mp4", priority=1)
    assert [claim.row.path for claim in state.take(limit=3)] == [b"f/high.mp4", b"f/early.mp4", b"f/late.mp4"]


def test_a_content_goes_up_as_the_most_urgent_job_that_waits_for_it(state: State) -> None:
    for sha, priority in (("aa", 0), ("bb", 1)):
        state.act(lambda tx, sha=sha: tx.contents.ensure(sha, "md5", 1, "video", 1.0))
        state.job(sha, JobState.UPLOADING, main_sha256=sha, priority=priority)
        state.act(lambda tx, sha=sha, priority=priority: tx.contents.want(sha, priority, NOW))
    assert [claim.row.sha256 for claim in state.take("content", ["absent"])] == ["bb", "aa"]


def test_the_condition_of_a_lane_is_kept(state: State) -> None:
    state.drop()
    state.put("drops", 1, held="a person must look")
    assert state.take(where="AND held = ''") == []


def test_a_renewed_lease_holds_longer_and_a_lost_one_is_told(state: State) -> None:
    state.drop(b"f/1.mp4")
    state.drop(b"f/2.mp4")
    kept, lost = state.take()
    state.act(lambda tx: tx.work.move("drop", lost.id, (DropState.WAITING,), DropState.GONE, NOW, "taken out"))
    assert state.act(lambda tx: tx.work.renew([kept, lost], 100.0)) == [lost]
    row = state.row("drops", kept.id)
    assert (row["lease_until"], row["due"]) == (NOW + 100, NOW + 100)
    assert state.take(now=NOW + 61) == []


def test_whoever_is_moved_is_fenced_out(state: State) -> None:
    state.drop()
    (claim,) = state.take()
    assert state.act(lambda tx: tx.work.move("drop", 1, (DropState.WAITING,), DropState.WAITING, NOW, "it changed", {"due": NOW}))
    with pytest.raises(Fenced):
        state.settle(claim, DropState.SETTLED)
    row = state.row("drops", 1)
    assert (row["owner"], row["claims"], row["due"]) == (None, 0, NOW)


def test_a_move_from_another_state_changes_nothing_and_says_so(state: State) -> None:
    state.drop()
    assert not state.act(lambda tx: tx.work.move("drop", 1, (DropState.SETTLED,), DropState.GONE, NOW, "no"))
    assert not state.act(lambda tx: tx.work.move("drop", 99, (DropState.WAITING,), DropState.GONE, NOW, "no"))
    assert state.row("drops", 1)["state"] == "waiting"


def test_an_outcome_that_the_law_forbids_is_refused(state: State) -> None:
    state.drop()
    (claim,) = state.take()
    with pytest.raises(AssertionError, match="cannot go from waiting to archived"):
        state.settle(claim, DropState.ARCHIVED)


def test_a_move_that_the_law_forbids_is_refused(state: State) -> None:
    state.drop()
    with pytest.raises(AssertionError, match="cannot go from waiting to archived"):
        state.act(lambda tx: tx.work.move("drop", 1, (DropState.WAITING,), DropState.ARCHIVED, NOW, "no"))
    assert state.row("drops", 1)["state"] == "waiting"


def test_every_transition_leaves_one_row_of_history_and_a_save_on_the_way_none(state: State) -> None:
    state.drop()
    (claim,) = state.take()
    state.act(lambda tx: tx.work.keep(claim, {"reason": "on the way"}))
    state.settle(claim, DropState.WAITING, due=NOW)
    (claim,) = state.take()
    state.settle(claim, DropState.SETTLED, due=NOW)
    state.act(lambda tx: tx.work.move("drop", 1, (DropState.SETTLED,), DropState.WAITING, NOW, "it changed", {"due": NOW}))
    state.act(lambda tx: tx.work.move("drop", 1, (DropState.WAITING,), DropState.WAITING, NOW, "it changed", {"due": NOW}))
    assert state.events() == [("drop", "", "waiting"), ("drop", "waiting", "settled"), ("drop", "settled", "waiting")]


def test_work_that_is_woken_while_it_is_in_hand_is_looked_at_again(state: State) -> None:
    state.drop()
    (claim,) = state.take()
    state.act(lambda tx: tx.work.wake("drop", 1, NOW + 3))
    assert state.take(now=NOW + 4, owner="node:2") == []
    state.settle(claim, DropState.WAITING, due=None)
    assert state.row("drops", 1)["due"] == NOW + 3


def test_work_that_was_not_woken_has_the_due_time_of_its_outcome(state: State) -> None:
    state.drop()
    (claim,) = state.take()
    state.act(lambda tx: tx.work.renew([claim], 500.0))
    state.settle(claim, DropState.WAITING, due=NOW + 9)
    assert state.row("drops", 1)["due"] == NOW + 9


def test_a_wake_during_a_renewed_lease_is_kept(state: State) -> None:
    state.drop()
    (claim,) = state.take()
    state.act(lambda tx: tx.work.wake("drop", 1, NOW + 3))
    state.act(lambda tx: tx.work.renew([claim], 500.0))
    state.settle(claim, DropState.WAITING, due=NOW + 900)
    assert state.row("drops", 1)["due"] == NOW + 3


def test_waking_never_puts_anything_off(state: State) -> None:
    state.drop()
    state.act(lambda tx: tx.work.wake("drop", 1, NOW + 100))
    assert state.row("drops", 1)["due"] == NOW


def test_a_start_ends_the_leases_of_the_dead_and_their_work_is_due_at_once(state: State) -> None:
    state.drop()
    state.take()
    state.act(lambda tx: tx.work.rescue("node", NOW + 1, 3600))
    (claim,) = state.take(now=NOW + 1, owner="node:2")
    assert claim.row.claims == 2


def test_a_start_clamps_due_times_that_a_wrong_clock_made(state: State) -> None:
    state.drop(now=NOW + 10**9)
    state.act(lambda tx: tx.work.rescue("node", NOW, 3600))
    assert state.row("drops", 1)["due"] == NOW + 3600


def test_a_clock_that_is_set_right_takes_every_reckoned_time_with_it(state: State) -> None:
    """Or a file that was changed a moment ago would seem to have been quiet for a day."""
    state.drop(b"f/1.mp4")
    state.drop(b"f/2.mp4")
    state.put("drops", 2, not_before=NOW + 5, partner_since=NOW - 2)
    (claim,) = state.take(limit=1)
    state.job(posted_at=NOW, submitted_at=NOW)
    state.act(lambda tx: tx.brakes.pull("rate", "", "slow down", "", NOW, NOW + 9))
    state.act(lambda tx: tx.work.shift(-86400.0))
    row = state.row("drops", 1)
    assert (row["due"], row["lease_until"], row["changed_at"]) == (NOW + 60 - 86400, NOW + 60 - 86400, NOW - 86400)
    row = state.row("drops", 2)
    assert (row["not_before"], row["partner_since"]) == (NOW + 5 - 86400, NOW - 2 - 86400)
    job = state.row("jobs", 1)
    assert (job["posted_at"], job["submitted_at"]) == (NOW - 86400, NOW - 86400)
    assert state.rows("SELECT until, since FROM brakes") == [{"until": NOW + 9 - 86400, "since": NOW - 86400}]
    state.settle(claim, DropState.SETTLED, due=NOW)
    assert state.row("drops", 1)["due"] == NOW, "a shifted lease is no wake"


def test_the_next_due_time_is_that_of_what_nobody_holds_or_of_a_lease_that_ends(state: State) -> None:
    assert state.act(lambda tx: tx.work.due((), NOW)) == ([], None)
    state.drop(b"f/1.mp4")
    state.drop(b"f/2.mp4", now=NOW + 70)
    assert state.act(lambda tx: tx.work.due((), NOW)) == ([], NOW + 70)
    state.take(limit=1)
    assert state.act(lambda tx: tx.work.due((), NOW)) == ([], NOW + 60)


def test_one_look_says_which_steps_have_anything_due(state: State) -> None:
    steps = (
        ("drop", ("waiting",), ""), ("drop", ("settled",), ""), ("job", ("ready", "uploading"), ""),
        ("duty", ("due",), "AND name = 'steer'"), ("duty", ("due",), "AND name = 'follow'"),
    )  # fmt: skip
    assert state.act(lambda tx: tx.work.due(steps, NOW)) == ([False] * 5, None)
    state.drop()
    state.job()
    state.act(lambda tx: tx.house.duty("follow", NOW + 1))
    assert state.act(lambda tx: tx.work.due(steps, NOW)) == ([True, False, True, False, False], NOW + 1)
    assert state.act(lambda tx: tx.work.due(steps, NOW + 1))[0] == [True, False, True, False, True]
    state.take()
    assert state.act(lambda tx: tx.work.due(steps, NOW))[0] == [False, False, True, False, False]


@pytest.mark.parametrize("item", ["drop", "content", "job"])
def test_the_first_in_turn_are_found_without_sorting_all_that_is_due(state: State, item: str) -> None:
    asked: list[str] = []

    def take(tx: Any) -> None:
        tx.work._connection.set_trace_callback(asked.append)
        tx.work.take(item, [JobState.READY], owner="node:1", now=NOW, lease_seconds=60.0, limit=4)
        tx.work._connection.set_trace_callback(None)

    state.act(take)
    plan = [row["detail"] for row in state.rows(f"EXPLAIN QUERY PLAN {asked[0]}")]
    assert [f"{KINDS[item].table}_turn" in step for step in plan] == [True], plan


def test_what_is_not_there_is_a_key_error(state: State) -> None:
    with pytest.raises(KeyError):
        state.act(lambda tx: tx.work.get("drop", 99))


def test_a_duty_is_one_row_however_often_it_is_begun(state: State) -> None:
    for _ in range(2):
        state.act(lambda tx: tx.house.duty("follow", NOW))
    (claim,) = state.take("duty", DutyState)
    assert claim.row.name == "follow"
    state.settle(claim, DutyState.DUE, due=NOW + 300)
    state.act(lambda tx: tx.house.hurry("follow", NOW + 1))
    state.act(lambda tx: tx.house.hurry("follow", NOW + 50))
    assert state.row("duties", 1)["due"] == NOW + 1


def test_two_processes_never_claim_the_same_work(states: Callable[..., State], path: Path) -> None:
    """Two stores on one file claim as fast as they can, until nothing is left."""
    one, two = states(), states()
    one.act(lambda tx: [tx.drops.add("place", b"f/%d.mp4" % n, stat(), ORDER, NOW, NOW, 0.0) for n in range(300)])
    found: dict[str, list[int]] = {"node:1": [], "node:2": []}

    def claim(state: State, owner: str) -> None:
        while taken := state.take(owner=owner, limit=3):
            found[owner] += [claim.id for claim in taken]

    threads = [threading.Thread(target=claim, args=pair) for pair in ((one, "node:1"), (two, "node:2"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(found["node:1"] + found["node:2"]) == list(range(1, 301))


_CLAIMER = """
import sys
from qavix_watch.core.lifecycle import DropState
from qavix_watch.store.sqlite import Store
store = Store(sys.argv[1], "https://api.example", "", "id")
while taken := store.now("claim", lambda tx: tx.work.take(
    "drop", (DropState.WAITING,), owner=sys.argv[2], now=float(sys.argv[3]), lease_seconds=60.0, limit=3)):
    print(*[claim.id for claim in taken], flush=True)
store.close()
"""


def test_two_real_processes_never_claim_the_same_work(state: State, path: Path) -> None:
    state.act(lambda tx: [tx.drops.add("place", b"f/%d.mp4" % n, stat(), ORDER, NOW, NOW, 0.0) for n in range(300)])
    running = [
        subprocess.Popen([sys.executable, "-c", _CLAIMER, str(path), owner, str(NOW)], stdout=subprocess.PIPE, text=True)
        for owner in ("node:1", "node:2")
    ]
    said = [process.communicate(timeout=60)[0].split() for process in running]
    assert sorted(int(number) for part in said for number in part) == list(range(1, 301))

