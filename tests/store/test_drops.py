"""Files that people put into watched places, as the state keeps them."""

from __future__ import annotations

from typing import Any

import pytest

from qavix_watch.core.lifecycle import HELD_BY_ORDER, DropState, JobState
from qavix_watch.errors import Fenced
from tests.store.conftest import NOW, ORDER, State, stat


def known(state: State) -> list[bytes]:
    return [drop.path for drop in state.act(lambda tx: list(tx.drops.known("place")))]


def vanish(state: State, drop: int) -> str:
    said: str = state.act(lambda tx: tx.drops.vanished(drop, NOW))
    return said


def change(state: State, drop: int) -> bool:
    done: bool = state.act(lambda tx: tx.drops.changed(drop, stat(size=200), NOW, NOW + 1, "it changed"))
    return done


@pytest.fixture
def ordered(state: State) -> tuple[int, int]:
    """A drop that waits for one job, which is not submitted."""
    drop, job = state.drop(), state.job(state=JobState.UPLOADING)
    state.want(job, drop)
    return drop, job


def test_a_drop_is_known_while_its_file_may_lie_at_its_path(state: State) -> None:
    for number, now_in in enumerate(("waiting", "delivering", "kept", "failed", "ignored", "gone", "archived", "deleted")):
        state.drop(b"f/%d" % number)
        state.put("drops", number + 1, state=now_in)
    state.drop(b"f/detached")
    state.act(lambda tx: tx.drops.detach(9, NOW, "replaced"))
    assert known(state) == [b"f/0", b"f/1", b"f/2", b"f/3", b"f/4"]
    assert state.act(lambda tx: list(tx.drops.known("elsewhere"))) == []


def test_a_changed_file_begins_again_and_whoever_has_it_in_hand_is_fenced_out(state: State) -> None:
    drop = state.drop()
    (claim,) = state.take()
    assert change(state, drop)
    with pytest.raises(Fenced):
        state.settle(claim, DropState.SETTLED)
    row = state.row("drops", drop)
    assert (row["state"], row["size"], row["changed_at"], row["due"]) == ("waiting", 200, NOW, NOW + 1)


def test_what_a_person_had_to_look_at_is_forgotten_with_the_file_that_it_was_about(state: State) -> None:
    """A file that was held for its hole is complete now; an approval was for other bytes."""
    drop = state.drop()
    state.put("drops", drop, held="a part of it is still missing", accepted=1, due=None)
    assert change(state, drop)
    row = state.row("drops", drop)
    assert (row["held"], row["accepted"]) == ("", 0)


def test_a_drop_whose_order_no_longer_holds_it_goes_on(state: State) -> None:
    drop = state.drop()
    state.put("drops", drop, state="delivering", held=HELD_BY_ORDER)
    assert state.act(lambda tx: tx.drops.reordered(drop, {**ORDER, "canonical": "dub en to fr"}, NOW))
    row = state.row("drops", drop)
    assert (row["state"], row["held"], row["canonical"]) == ("waiting", "", "dub en to fr")


@pytest.mark.parametrize("verb", ["stopped", "partner_changed"])
def test_what_was_not_submitted_begins_again_where_its_order_or_partner_is_no_longer_what_it_was(
    state: State, ordered: tuple[int, int], verb: str
) -> None:
    drop, job = ordered
    state.put("drops", drop, sha256="aa", partner=b"f/face.jpg", partner_sha256="bb")
    assert [one.id for one in state.act(lambda tx: list(tx.drops.paired("place")))] == [drop]
    why = ("its order is not understood",) if verb == "stopped" else ()
    assert state.act(lambda tx: getattr(tx.drops, verb)(drop, NOW, *why))
    row = state.row("drops", drop)
    assert (row["state"], row["sha256"], row["partner_sha256"], row["due"]) == ("waiting", None, None, NOW)
    assert state.row("jobs", job)["state"] == "cancelled"
    state.put("jobs", job, posted=1)
    state.put("deliveries", 1, state="pending")
    assert not state.act(lambda tx: getattr(tx.drops, verb)(drop, NOW, *why))


def test_a_change_before_the_post_takes_the_job_back(state: State, ordered: tuple[int, int]) -> None:
    drop, job = ordered
    assert change(state, drop)
    assert state.row("jobs", job)["state"] == "cancelled"
    assert state.row("deliveries", 1)["state"] == "cancelled"


@pytest.mark.parametrize("posted", ["posted", "processing", "done", "failed"])
def test_a_change_after_the_post_is_too_late(state: State, ordered: tuple[int, int], posted: str) -> None:
    drop, job = ordered
    state.put("jobs", job, posted=1, **({} if posted == "posted" else {"state": posted}))
    assert not change(state, drop)
    assert not state.act(lambda tx: tx.drops.reordered(drop, ORDER, NOW))
    assert vanish(state, drop) == "detached"
    row = state.row("drops", drop)
    assert (row["state"], row["size"], row["detached"]) == ("delivering", 100, 1)
    assert state.row("deliveries", 1)["state"] == "pending"


def test_taking_a_file_out_is_the_undo_of_what_the_service_refused_as_well(state: State, ordered: tuple[int, int]) -> None:
    """While it is in doubt whether it refused that file or everything; or it would be submitted when the doubt is over."""
    drop, job = ordered
    state.put("jobs", job, state="failed")
    assert vanish(state, drop) == "gone"
    assert state.row("deliveries", 1)["state"] == "cancelled"


def test_taking_a_file_out_before_the_post_is_the_undo(state: State, ordered: tuple[int, int]) -> None:
    drop, job = ordered
    assert vanish(state, drop) == "gone"
    assert (state.row("drops", drop)["state"], state.row("jobs", job)["state"]) == ("gone", "cancelled")
    assert state.take("job", JobState, now=NOW + 99) == state.take("delivery", ["pending"], now=NOW + 99) == []


def test_a_file_that_vanishes_while_another_has_the_same_content_hurts_nobody(state: State, ordered: tuple[int, int]) -> None:
    drop, job = ordered
    other = state.drop(b"dub en to es/same.mp4")
    state.want(job, other)
    assert vanish(state, drop) == "gone"
    assert state.row("jobs", job)["state"] == "uploading"
    assert [one.id for one in state.act(lambda tx: tx.drops.wanting(job))] == [other]


def test_a_job_that_only_held_drops_still_want_waits_for_approval(state: State, ordered: tuple[int, int]) -> None:
    """It ran for a drop without hold=yes, which was taken out."""
    drop, job = ordered
    held = state.drop(b"dub en to es hold=yes/same.mp4")
    state.want(job, held)
    state.put("drops", held, held=HELD_BY_ORDER)
    vanish(state, drop)
    row = state.row("jobs", job)
    assert (row["state"], row["reason"]) == ("held", HELD_BY_ORDER)


def test_a_held_job_that_nobody_wants_is_cancelled(state: State, ordered: tuple[int, int]) -> None:
    drop, job = ordered
    state.put("jobs", job, state="held")
    assert vanish(state, drop) == "gone"
    assert state.row("jobs", job)["state"] == "cancelled"


def test_a_file_that_moved_after_the_post_is_followed(state: State, ordered: tuple[int, int]) -> None:
    drop, _ = ordered
    state.act(lambda tx: tx.drops.moved(drop, b"dub en to es (new)/clip.mp4", b"dub en to es (new)", NOW))
    row = state.row("drops", drop)
    assert (row["path"], row["folder"], row["state"]) == (b"dub en to es (new)/clip.mp4", b"dub en to es (new)", "delivering")


def test_a_touch_keeps_what_waits_waiting_and_leaves_the_rest(state: State) -> None:
    one, two = state.drop(b"f/1"), state.drop(b"f/2")
    state.put("drops", two, state="settled")
    for drop in (one, two):
        state.act(lambda tx, drop=drop: tx.drops.touch(drop, NOW + 5, NOW + 6, NOW + 7))
    row = state.row("drops", one)
    assert (row["changed_at"], row["due"], row["not_before"]) == (NOW + 5, NOW + 6, NOW + 7)
    assert state.row("drops", two)["changed_at"] == NOW


def test_what_lies_in_a_folder_that_is_still_arriving_waits_for_it(state: State) -> None:
    paths = [b"f/a.mp4", b"f/sub/b.mp4", b"f2/c.mp4", b"f", b"f0/d.mp4"]
    for path in paths:
        state.drop(path)
    state.act(lambda tx: tx.drops.still_arriving("place", b"f", NOW + 10))
    waiting = {row["path"]: row["not_before"] for row in state.rows("SELECT path, not_before FROM drops")}
    assert [path for path in paths if waiting[path]] == [b"f/a.mp4", b"f/sub/b.mp4"]


def test_a_partner_that_arrives_wakes_the_pairs_below_its_folder_alone(state: State) -> None:
    tasks = {b"f/a.mp4": "face_swap", b"f/sub/b.mp4": "lip_sync", b"f/c.mp4": "video_translation", b"g/d.mp4": "face_swap"}
    for path, task in tasks.items():
        state.drop(path, task=task, now=NOW + 60)
    state.drop(b"f/later.mp4", task="face_swap", now=NOW + 60)
    state.put("drops", 5, not_before=NOW + 20)
    state.act(lambda tx: tx.drops.wake_pairs("place", b"f", NOW))
    assert [row["due"] - NOW for row in state.rows("SELECT due FROM drops ORDER BY id")] == [0, 0, 60, 60, 20]


def test_two_sources_of_one_stem_in_one_folder_are_twins(state: State) -> None:
    for path in (b"f/clip.mp4", b"f/clip.mov", b"f/clip.v2.mp4", b"f/other.mp4", b"g/clip.mkv"):
        state.drop(path)

    def twins(number: int, stem: bytes) -> bool:
        found: bool = state.act(lambda tx: tx.drops.twins(tx.work.get("drop", number), stem))
        return found

    stems = (b"f/clip", b"f/clip", b"f/clip.v2", b"f/other", b"g/clip")
    assert [twins(number, stem) for number, stem in enumerate(stems, 1)] == [True, True, False, False, False]
    state.put("drops", 2, state="gone")
    assert not twins(1, b"f/clip")


def test_a_content_lies_where_its_live_drops_are_first(state: State) -> None:
    places: list[dict[str, Any]] = [
        {"state": "archived"}, {"state": "delivering"}, {"state": "gone"}, {"state": "kept", "detached": 1},
        {"state": "waiting", "partner_sha256": "aa", "sha256": "bb"},
    ]  # fmt: skip
    for number, values in enumerate(places, 1):
        state.drop(b"f/%d" % number)
        state.put("drops", number, **{"sha256": "aa", **values})
    assert [drop.id for drop in state.act(lambda tx: tx.drops.holding("aa"))] == [2, 5, 1]


def test_every_drop_of_a_path_is_found_the_newest_first(state: State) -> None:
    for _ in range(2):
        drop = state.drop()
        vanish(state, drop)
    assert [drop.id for drop in state.act(lambda tx: tx.drops.at("place", b"dub en to es/clip.mp4"))] == [2, 1]


def test_a_partner_is_needed_while_another_drop_that_uses_it_is_at_work(state: State) -> None:
    for number in (1, 2):
        state.drop(b"f/%d" % number)
        state.put("drops", number, partner=b"f/face.jpg")

    def needed() -> bool:
        found: bool = state.act(lambda tx: tx.drops.partner_needed(tx.work.get("drop", 1)))
        return found

    assert needed()
    state.put("drops", 2, state="archived")
    assert not needed()


@pytest.mark.parametrize(
    ("deliveries", "verdict"),
    [
        (["done", "done"], "done"),
        (["done", "failed"], "failed"),
        (["done", "cancelled"], "done"),
        (["cancelled", "cancelled"], "cancelled"),
        (["failed", "cancelled"], "failed"),
    ],
)
def test_a_drop_is_put_away_once_every_delivery_is_at_rest(state: State, deliveries: list[str], verdict: str) -> None:
    drop = state.drop()
    for number, _ in enumerate(deliveries):
        state.want(state.job(f"key{number}"), drop)
    state.act(lambda tx: tx.drops.conclude(drop, NOW))
    assert state.row("drops", drop)["state"] == "delivering"
    for number, at_rest in enumerate(deliveries):
        state.put("deliveries", number + 1, state=at_rest, reason=at_rest)
    state.act(lambda tx: tx.drops.conclude(drop, NOW))
    row = state.row("drops", drop)
    assert (row["state"], row["verdict"], row["due"]) == ("archiving", verdict, NOW)


def test_what_is_being_put_away_unsubmitted_leaves_its_path_to_what_lies_there_now(state: State) -> None:
    """As a file that is no film, dragged back from failed/ in the moment in which the reason is written."""
    first = state.drop()
    state.put("drops", first, state=DropState.ARCHIVING, verdict="failed")
    assert vanish(state, first) == "detached"
    second = state.drop()
    assert [row["id"] for row in state.rows("SELECT id FROM drops WHERE detached = 0")] == [second]


def test_what_has_settled_and_nobody_has_in_hand_settles_again(state: State) -> None:
    drop, read_already, in_hand = (state.drop(b"f/%d" % number) for number in range(3))
    state.put("drops", drop, state=DropState.SETTLED, due=None, accepted=1)
    state.put("drops", read_already, state=DropState.FINGERPRINTED)
    state.put("drops", in_hand, state=DropState.SETTLED, owner="other:1", lease_until=NOW + 9)
    state.act(lambda tx: tx.drops.settle_again(NOW, "the host has started anew"))
    assert [row["state"] for row in state.rows("SELECT state FROM drops ORDER BY id")] == ["waiting", "fingerprinted", "settled"]
    assert (state.row("drops", drop)["due"], state.row("drops", drop)["accepted"]) == (NOW, 1)


def test_times_and_names_come_back_as_they_were_put_in(state: State) -> None:
    path = b"f/\xff\xfe not utf-8 \n.mp4"
    drop = state.drop(path)
    row: Any = state.act(lambda tx: tx.work.get("drop", drop))
    assert (row.path, row.state, row.stat_is(stat()), row.stat_is(stat(size=1))) == (path, DropState.WAITING, True, False)
    assert row.partner_is(stat(size=0, mtime_ns=0, inode=0))


# Steering and generations

def test_a_source_that_was_archived_before_another_came_is_no_twin(state: State) -> None:
    old, new = state.drop(b"erase/clip.mov"), state.drop(b"erase/clip.mp4", now=NOW + 100)
    twins = lambda: state.act(lambda tx: tx.drops.twins(tx.work.get("drop", new), b"erase/clip"))  # noqa: E731 - asked thrice
    assert twins()
    state.put("drops", old, state=DropState.ARCHIVED, ended_at=NOW + 50)
    assert not twins()
    state.put("drops", old, state=DropState.ARCHIVED, ended_at=NOW + 150)
    assert twins(), "they lay there together: both keep their extension, whichever comes first"
    state.put("drops", old, state=DropState.KEPT, ended_at=NOW + 50)
    assert twins(), "it still lies there"


def test_a_file_that_is_taken_away_takes_with_it_what_was_not_submitted(state: State) -> None:
    drop, submitted, waiting = state.drop(), state.job("a", JobState.PROCESSING, task_id="7"), state.job("b")
    state.want(submitted, drop)
    state.want(waiting, drop)
    assert state.act(lambda tx: tx.drops.vanished(drop, NOW)) == "detached"
    assert [row["state"] for row in state.rows("SELECT state FROM jobs ORDER BY id")] == ["processing", "cancelled"]
    assert [row["state"] for row in state.rows("SELECT state FROM deliveries ORDER BY id")] == ["pending", "cancelled"]


def test_a_drop_that_is_worked_on_from_elsewhere_leaves_its_path_to_others(state: State) -> None:
    first = state.drop()
    state.put("drops", first, state=DropState.FAILED, target=b"/failed/clip.mp4")
    state.act(lambda tx: tx.drops.reopen(first, DropState.WAITING, b"/failed/clip.mp4", NOW, "tried again"))
    second = state.drop()
    assert [row["id"] for row in state.rows("SELECT id FROM drops WHERE state = 'waiting'")] == [first, second]


@pytest.mark.parametrize("before", [DropState.WAITING, DropState.SETTLED, DropState.FINGERPRINTED, DropState.DELIVERING])
def test_what_is_worked_on_from_elsewhere_and_goes_comes_to_its_end_there(state: State, before: DropState) -> None:
    """It may have been told beside it why it failed; that is taken back where originals are put away."""
    drop = state.drop()
    state.put("drops", drop, state=DropState.FAILED, target=b"/failed/clip.mp4")
    state.act(lambda tx: tx.drops.reopen(drop, DropState.WAITING, b"/failed/clip.mp4", NOW, "tried again"))
    state.put("drops", drop, state=before, held="for a person")
    assert vanish(state, drop) == "detached"
    row = state.row("drops", drop)
    assert (row["state"], row["detached"], row["verdict"], row["due"], row["held"]) == ("archiving", 1, "cancelled", NOW, "")
