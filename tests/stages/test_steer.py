"""What people's commands do to work in every state: tried again, done again, ended, let go; and what they are refused."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.core.lifecycle import CANCELLED
from qavix_watch.core.outcomes import Brake, Hold, Later, Retry
from qavix_watch.errors import Fenced, FileUnreadable, NoSpace, QavixWatchError, StateBusy
from qavix_watch.fs.disk import Disk
from tests.support.world import INBOX_FLOW, JOB_FLOW

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qavix_watch.core.files import Stat
    from tests.support.world import World

ORDER = "dub en to es"
FILM = f"{ORDER}/clip.mp4"
WHY = f"{ORDER}/clip.mp4.why.txt"


def steer(world: World, verb: str, target: str = "", **said: Any) -> tuple[bool, str]:
    """One command, done: whether it worked, and the answer."""

    def leave(tx: Any) -> int:
        number = tx.commands.add(verb, target, {"by": "ann", **said}, world.clock.now())
        tx.house.duty("steer", 0.0)
        tx.house.hurry("steer", 0.0)
        return number

    number = world.act(leave)
    world.step("steer")
    answers = world.act(lambda tx: tx.commands.answers([number]))
    assert number in answers, "it was not answered"
    world.notice()
    return answers[number]


def done(world: World, verb: str, target: str = "") -> str:
    ok, text = steer(world, verb, target)
    assert ok, text
    return text


def refused(world: World, verb: str, target: str = "") -> str:
    ok, text = steer(world, verb, target)
    assert not ok, text
    return text


def work(world: World) -> None:
    """Work at everything until all of it is at rest or waits for a person."""
    waits = (
        "SELECT 1 FROM jobs WHERE state NOT IN ('done', 'failed', 'cancelled', 'held') UNION ALL SELECT 1 FROM drops WHERE held = '' AND"
        " (state IN ('waiting', 'settled', 'fingerprinted', 'archiving') OR id IN (SELECT drop_id FROM deliveries WHERE due IS NOT NULL))"
    )
    for _ in range(100):
        if not world.rows(waits):
            return
        worked = False
        for lane in (*INBOX_FLOW, *JOB_FLOW):
            while (piece := world.claim(lane)) is not None:
                with suppress(Fenced):  # its own look has shown that it is over
                    world.record(piece, world.outcome(piece))
                worked = True
        if not worked:
            time.sleep(0.05)  # the sandbox works at the tasks in real time
        world.later(1 if worked else 5)
    raise AssertionError(f"still open: {world.open_work()}")


def arrive(world: World, name: str, data: bytes, order: str = ORDER) -> Path:
    path = world.drop(order, name, data)
    world.notice()
    return path


def states(world: World, table: str = "drops") -> list[str]:
    return [row["state"] for row in world.rows(f"SELECT state FROM {table} ORDER BY id")]


def fail_tasks(world: World, times: int | None = None, **more: Any) -> None:
    world.sandbox.faults({"operation": "task", "kind": "fail_task", "message": "no speech found", "times": times, **more})


@pytest.fixture
def failed(world: World, video: Callable[..., bytes]) -> bytes:
    """The content of a drop whose task failed at the service; its original lies in failed/."""
    data = video()
    fail_tasks(world)
    arrive(world, "clip.mp4", data)
    work(world)
    assert world.files("failed") == [FILM, WHY]
    world.sandbox.faults()
    return data


# Retry

def test_a_retry_of_a_failed_task_is_a_new_task_and_its_original_goes_from_failed_to_the_archive(world: World, failed: bytes) -> None:
    assert "job 2" in done(world, "retry", "1")
    work(world)
    assert world.files() == [f"{ORDER}/clip.es.mp4"]
    assert (world.files("archive"), world.files("failed")) == ([FILM], [])
    assert not (world.root / "failed" / ORDER).exists()
    assert world.rows("SELECT generation, state FROM jobs ORDER BY id") == [
        {"generation": 1, "state": "failed"}, {"generation": 2, "state": "done"},
    ]
    assert states(world) == ["archived"]


def test_a_retry_that_fails_again_lies_where_it_lay(world: World, failed: bytes) -> None:
    fail_tasks(world)
    done(world, "retry", "1")
    work(world)
    assert world.files("failed") == [FILM, WHY]
    assert states(world) == ["failed"]
    assert world.files("inbox") == []


def test_a_retry_keeps_the_key_where_the_service_never_made_a_task(world: World, video: Callable[..., bytes]) -> None:
    world.sandbox.faults({"operation": "video_translation", "kind": "status", "status": 400, "code": "bad"})
    arrive(world, "clip.mp4", video())
    work(world)
    assert "nothing was submitted" in (world.root / "failed" / WHY).read_text()
    world.sandbox.faults()
    key = world.one("SELECT key FROM jobs")
    assert "own key" in done(world, "retry", "1")
    work(world)
    assert world.rows("SELECT key, generation, state FROM jobs") == [{"key": key, "generation": 1, "state": "done"}]
    assert (world.files("archive"), world.files("failed")) == ([FILM], [])


def test_a_retry_of_a_fan_out_repeats_only_what_failed(world: World, video: Callable[..., bytes]) -> None:
    order = "dub en to es,de"
    fail_tasks(world, 1)
    arrive(world, "clip.mp4", video(), order)
    work(world)
    assert len(world.files()) == 1
    good = world.files()[0]
    stat = (world.outbox / good).stat()
    assert "Only this would be done again" in (world.root / "failed" / order / "clip.mp4.why.txt").read_text()
    done(world, "retry", "drop-1")
    work(world)
    assert world.files() == [f"{order}/clip.de.mp4", f"{order}/clip.es.mp4"]
    assert (world.outbox / good).stat().st_ino == stat.st_ino, "the good result stays as it is"
    assert len(world.rows("SELECT id FROM jobs")) == 3
    assert (world.files("archive"), world.files("failed")) == ([f"{order}/clip.mp4"], [])


def test_drops_that_share_a_failed_job_are_all_retried(world: World, video: Callable[..., bytes]) -> None:
    data = video()
    fail_tasks(world, 1)
    arrive(world, "one.mp4", data)
    arrive(world, "two.mp4", data)
    work(world)
    assert states(world) == ["failed", "failed"]
    done(world, "retry", "1")
    work(world)
    assert states(world) == ["archived", "archived"]
    assert world.files() == [f"{ORDER}/one.es.mp4", f"{ORDER}/two.es.mp4"]
    assert world.files("failed") == []
    assert len(world.rows("SELECT id FROM jobs")) == 2


def test_a_retry_where_originals_are_kept_works_from_the_inbox(world: World, video: Callable[..., bytes]) -> None:
    world.with_layout(after="keep")
    fail_tasks(world, 1)
    path = arrive(world, "clip.mp4", video())
    work(world)
    world.notice()
    assert world.files("inbox") == [FILM, WHY]
    done(world, "retry", "1")
    work(world)
    assert world.files("inbox") == [FILM]
    assert states(world) == ["kept"]
    assert path.exists()


def test_a_retry_of_a_kept_original_that_was_replaced_is_refused(world: World, video: Callable[..., bytes]) -> None:
    world.with_layout(after="keep")
    fail_tasks(world, 1)
    path = arrive(world, "clip.mp4", video())
    work(world)
    path.write_bytes(video())
    world.notice()
    assert "not there any more" in refused(world, "retry", "1")


def test_a_retry_of_work_whose_file_was_replaced_before_it_was_submitted_is_refused(world: World, video: Callable[..., bytes]) -> None:
    """Its content is nowhere any more, and what lies there now has a job of its own, which must not fail with it."""
    path = arrive(world, "clip.mp4", video())
    world.steps("settle", "fingerprint", "order")
    path.write_bytes(video())
    world.notice()
    assert states(world, "jobs") == ["cancelled"]
    world.steps("settle", "fingerprint", "order")
    assert "not there any more" in refused(world, "retry", "1")
    work(world)
    assert (states(world, "jobs"), states(world)) == (["cancelled", "done"], ["archived"])


def test_what_is_tried_again_by_its_original_being_dragged_back(world: World, failed: bytes) -> None:
    (world.root / "failed" / FILM).rename(world.inbox / FILM)
    world.notice()
    work(world)
    assert world.files("failed") == [], "what we wrote beside it goes, and its folder"
    assert states(world) == ["failed", "archived"]
    assert world.rows("SELECT generation FROM jobs ORDER BY id") == [{"generation": 1}, {"generation": 2}]
    assert "job 2 has taken its place" in done(world, "retry", "drop-1")


def test_what_a_person_wrote_beside_an_original_stays(world: World, failed: bytes) -> None:
    (world.root / "failed" / WHY).write_text("my own notes")
    done(world, "retry", "1")
    work(world)
    assert world.files("failed") == [WHY]


def test_the_fourth_generation_is_held_and_an_approval_lets_one_more(world: World, failed: bytes) -> None:
    fail_tasks(world)
    for number in ("1", "2"):
        done(world, "retry", number)
        work(world)
    assert "held" in done(world, "retry", "3")
    work(world)
    assert states(world, "jobs") == ["failed", "failed", "failed", "held"]
    assert "approve 4" in refused(world, "retry", "4")
    done(world, "approve", "4")
    work(world)
    assert states(world, "jobs") == ["failed"] * 4
    assert "held" in done(world, "retry", "4")


def test_a_retry_joins_the_newest_generation(world: World, video: Callable[..., bytes]) -> None:
    """One of two was dragged back and is done: the other gets the same results."""
    data = video()
    fail_tasks(world, 1)
    arrive(world, "one.mp4", data)
    arrive(world, "two.mp4", data)
    work(world)
    (world.root / "failed" / ORDER / "one.mp4").rename(world.inbox / ORDER / "one.mp4")
    world.notice()
    work(world)
    done(world, "retry", "drop-2")
    work(world)
    assert len(world.rows("SELECT id FROM jobs")) == 2, "no third task"
    assert world.files() == [f"{ORDER}/one.es.mp4", f"{ORDER}/two.es.mp4"]
    assert world.files("failed") == []


def test_a_refused_file_that_never_became_a_job_is_looked_at_again_where_it_lies(world: World) -> None:
    arrive(world, "clip.mp4", b"this is no film at all")
    work(world)
    assert world.files("failed") == [FILM, WHY]
    assert "looked at again" in done(world, "retry", "drop-1")
    work(world)
    assert states(world) == ["failed"]
    assert world.files("failed") == [FILM, WHY]


def test_a_retried_original_that_is_taken_away_is_the_undo(world: World, failed: bytes) -> None:
    done(world, "retry", "1")
    (world.root / "failed" / FILM).unlink()
    work(world)
    assert (states(world), states(world, "jobs")) == (["gone"], ["failed", "cancelled"])
    assert len(world.rows("SELECT id FROM jobs WHERE task_id IS NOT NULL")) == 1
    assert world.files("failed") == [], "the text that said why is about nothing"


def test_a_refused_original_that_is_taken_away_before_it_is_looked_at_again_leaves_no_text(world: World) -> None:
    arrive(world, "clip.mp4", b"no video")
    work(world)
    assert world.files("failed") == [FILM, WHY]
    done(world, "retry", "drop-1")
    (world.root / "failed" / FILM).unlink()
    work(world)
    assert (states(world), world.files("failed")) == (["gone"], [])


def test_an_original_that_is_replaced_in_the_archive_while_it_waits_to_be_done_again_is_not_waited_for(
    world: World, video: Callable[..., bytes]
) -> None:
    arrive(world, "clip.mp4", video())
    work(world)
    done(world, "redo", "1")
    (world.root / "archive" / FILM).write_bytes(video(padding=9))
    work(world)
    assert states(world, "jobs") == ["done", "cancelled"]


def test_what_a_newer_generation_did_is_not_tried_again(world: World, failed: bytes) -> None:
    """`retry --failed` names it all the same: the job has failed, and stays so."""
    done(world, "retry", "1")
    work(world)
    assert "job 2 has taken its place" in done(world, "retry", "1")
    work(world)
    assert (states(world), states(world, "jobs")) == (["archived"], ["failed", "done"])


def test_what_somebody_put_in_place_of_an_original_is_not_taken_for_it(world: World, failed: bytes, video: Callable[..., bytes]) -> None:
    """Nobody asked for work on it: it lies in no inbox."""
    original = world.root / "failed" / FILM
    original.rename(world.base / "clip.mp4")
    original.write_bytes(video(padding=7))
    for verb, target in [("retry", "1"), ("redo", "1"), ("retry", "drop-1")]:
        assert "not there any more" in refused(world, verb, target)
    original.unlink()
    (world.base / "clip.mp4").rename(original)
    done(world, "redo", "1")


def test_an_original_that_cannot_be_looked_at_may_be_there(world: World, failed: bytes) -> None:
    class Failing(Disk):
        def stat(self, path: bytes) -> Stat:
            if path.endswith(FILM.encode()):
                raise FileUnreadable("the disk fails")
            return super().stat(path)

    world.with_ports(files=Failing())
    done(world, "retry", "1")


def test_where_the_original_was_removed_it_says_so(world: World, failed: bytes) -> None:
    original = world.root / "failed" / FILM
    original.rename(world.base / "clip.mp4")
    for verb, target in [("retry", "1"), ("redo", "1"), ("retry", "drop-1")]:
        assert "not there any more" in refused(world, verb, target)
    assert states(world, "jobs") == ["failed"]
    world.unplug()
    done(world, "retry", "1")
    world.plug_in()


# Redo

def test_what_is_done_is_done_again_from_the_archive_and_delivered_under_a_number(world: World, video: Callable[..., bytes]) -> None:
    arrive(world, "clip.mp4", video())
    work(world)
    lies = (world.root / "archive" / FILM).stat()
    assert "job 2" in done(world, "redo", "1")
    work(world)
    assert world.files() in ([f"{ORDER}/clip (2).es.mp4", f"{ORDER}/clip.es.mp4"], [f"{ORDER}/clip.es.mp4"])
    assert (world.files("archive"), states(world)) == ([FILM], ["archived"])
    assert (world.root / "archive" / FILM).stat().st_ino == lies.st_ino, "it was not moved"
    assert len(world.rows("SELECT DISTINCT task_id FROM jobs")) == 2


def test_what_is_done_again_is_uploaded_from_the_archive_where_it_was_forgotten(world: World, video: Callable[..., bytes]) -> None:
    arrive(world, "clip.mp4", video())
    work(world)
    world.act(lambda tx: tx.contents.forgotten(world.one_of(tx, "SELECT sha256 FROM contents"), world.clock.now(), "forgotten"))
    done(world, "redo", "drop-1")
    work(world)
    assert states(world, "jobs") == ["done", "done"]
    assert states(world) == ["archived"]


def test_a_redo_without_an_original_is_refused(world: World, video: Callable[..., bytes]) -> None:
    world.with_layout(after="delete")
    arrive(world, "clip.mp4", video())
    work(world)
    assert "not there any more" in refused(world, "redo", "1")


# Cancel

def test_what_is_not_submitted_is_ended_and_its_file_left_alone(world: World, video: Callable[..., bytes]) -> None:
    path = arrive(world, "clip.mp4", video())
    world.steps("settle", "fingerprint", "order")
    assert "nothing was submitted" in done(world, "cancel", "1")
    work(world)
    world.notice()
    world.notice()
    assert (states(world), states(world, "jobs")) == (["kept"], ["cancelled"])
    assert path.exists()
    done(world, "retry", "1")
    work(world)
    assert (states(world), states(world, "jobs")) == (["archived"], ["done"])


def test_a_cancelled_file_is_picked_up_when_it_changes(world: World, video: Callable[..., bytes]) -> None:
    path = arrive(world, "clip.mp4", video())
    done(world, "cancel", "drop-1")
    work(world)
    assert states(world) == ["kept"]
    assert world.one("SELECT reason FROM drops") == CANCELLED
    path.write_bytes(video())
    world.notice()
    work(world)
    assert states(world) == ["kept", "archived"]


def test_what_is_submitted_stays_billed_and_a_new_drop_follows_it_again(world: World, video: Callable[..., bytes]) -> None:
    data = video()
    arrive(world, "clip.mp4", data)
    world.steps("settle", "fingerprint", "order", "prepare", "upload", "submit")
    assert "stays billed" in done(world, "cancel", "1")
    work(world)
    assert (states(world), states(world, "jobs")) == (["kept"], ["cancelled"])
    assert world.files() == []
    arrive(world, "again.mp4", data)
    work(world)
    assert states(world, "jobs") == ["done"]
    assert world.files() == [f"{ORDER}/again.es.mp4"]


def test_cancelling_a_file_leaves_what_others_want(world: World, video: Callable[..., bytes]) -> None:
    data = video()
    arrive(world, "one.mp4", data)
    arrive(world, "two.mp4", data)
    for _ in range(2):
        world.steps("settle", "fingerprint", "order")
    done(world, "cancel", "drop-1")
    work(world)
    assert (states(world), states(world, "jobs")) == (["kept", "archived"], ["done"])
    assert world.files() == [f"{ORDER}/two.es.mp4"]


def test_what_has_ended_is_not_cancelled(world: World, failed: bytes) -> None:
    assert "ended already" in refused(world, "cancel", "1")
    assert "ended already" in refused(world, "cancel", "drop-1")


# Approve

def test_a_job_that_its_order_holds_goes_on_when_it_is_approved(world: World, video: Callable[..., bytes]) -> None:
    arrive(world, "clip.mp4", video(), "dub en to es hold=yes")
    work(world)
    assert states(world, "jobs") == ["held"]
    done(world, "approve", "1")
    work(world)
    assert (states(world), states(world, "jobs")) == (["archived"], ["done"])


def held_with_a_hole(world: World, data: bytes) -> None:
    """A file with a hole, which waits for a person."""
    path = world.inbox / ORDER / "clip.mp4"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.write(data)
        file.truncate(file.tell() + (1 << 20))
    world.notice()
    world.step("settle")
    world.later(10)
    if not world.one("SELECT held FROM drops"):
        world.step("settle")
    assert world.one("SELECT held FROM drops") != ""


def test_a_file_with_a_hole_is_taken_as_it_is_when_it_is_approved(worlds: Callable[..., World], video: Callable[..., bytes]) -> None:
    world = worlds(truncated_after_seconds=1.0)
    held_with_a_hole(world, video())
    done(world, "approve", "drop-1")
    world.step("settle")
    assert world.state() == "settled"


def test_a_film_that_was_refused_for_being_cut_is_taken_as_it_is_when_it_is_dragged_back(
    worlds: Callable[..., World], video: Callable[..., bytes]
) -> None:
    world = worlds(truncated_after_seconds=1.0)
    data = video(200_000)
    arrive(world, "clip.mp4", data[: len(data) // 2])
    world.later(10)
    work(world)
    assert states(world) == ["failed"], world.rows("SELECT reason FROM drops")
    (world.root / "failed" / FILM).rename(world.inbox / FILM)
    world.notice()
    world.step("settle")
    assert states(world) == ["failed", "settled"]


@pytest.mark.parametrize(("target", "said"), [("99", "no job 99"), ("drop-99", "no drop-99"), ("film", "is no id"), ("batch-9", "batch-9")])
def test_what_is_not_there_is_said(world: World, target: str, said: str) -> None:
    assert said in refused(world, "approve", target)


@pytest.mark.parametrize("brake", ["budget", "account"])
def test_a_brake_that_is_not_on_cannot_be_approved(world: World, brake: str) -> None:
    assert "not on" in refused(world, "approve", brake)


# The others

def test_pause_and_resume_are_a_brake(world: World) -> None:
    assert "paused" in done(world, "pause")
    assert done(world, "pause") == "it is paused already"
    assert [brake.name for brake in world.act(lambda tx: tx.brakes.on())] == ["paused"]
    done(world, "resume")
    assert world.act(lambda tx: tx.brakes.on()) == []
    assert done(world, "resume") == "nothing was paused"


def test_a_scan_is_answered_by_a_look_at_the_whole_inbox(world: World) -> None:
    number = world.act(lambda tx: tx.commands.add("scan", "", {}, world.clock.now()))
    world.look(ORDER.encode())
    assert world.act(lambda tx: tx.commands.answers([number])) == {}
    world.look()
    assert world.act(lambda tx: tx.commands.answers([number]))[number][0]


def test_a_scan_of_an_unplugged_inbox_says_so(world: World) -> None:
    number = world.act(lambda tx: tx.commands.add("scan", "", {}, world.clock.now()))
    world.unplug()
    world.look()
    ok, text = world.act(lambda tx: tx.commands.answers([number]))[number]
    assert (ok, "could not be looked at" in text, text.endswith(".")) == (False, True, False)
    world.plug_in()


def test_a_command_of_another_version_does_not_stand_in_the_way(world: World) -> None:
    assert "other version" in refused(world, "dance").replace("another", "other")
    assert "paused" in done(world, "pause")


def test_what_is_just_being_put_away_is_steered_a_moment_later(world: World, video: Callable[..., bytes]) -> None:
    fail_tasks(world, 1)
    arrive(world, "clip.mp4", video())
    world.through("archive")
    assert world.state() == "archiving"
    number = world.act(lambda tx: tx.commands.add("retry", "1", {}, world.clock.now()))
    world.act(lambda tx: (tx.house.duty("steer", 0.0), tx.house.hurry("steer", 0.0)))
    said = world.step("steer")
    assert isinstance(said, Later)
    assert said.seconds
    assert world.act(lambda tx: tx.commands.answers([number])) == {}
    world.step("archive")
    world.later(1)
    world.step("steer")
    assert world.act(lambda tx: tx.commands.answers([number]))[number][0]


# Each state has its answer

def test_work_in_hand_is_neither_retried_nor_done_again(world: World, video: Callable[..., bytes]) -> None:
    arrive(world, "clip.mp4", video())
    assert "being worked on" in refused(world, "retry", "drop-1")
    assert "no job yet" in refused(world, "redo", "drop-1")
    world.steps("settle", "fingerprint", "order")
    for verb, target in [("retry", "1"), ("redo", "1"), ("retry", "drop-1"), ("redo", "drop-1")]:
        assert "being worked on" in refused(world, verb, target)


def test_a_job_that_is_not_held_is_approved_for_the_budget_once(world: World, video: Callable[..., bytes]) -> None:
    arrive(world, "clip.mp4", video())
    world.steps("settle", "fingerprint", "order", "prepare")
    assert "nothing about drop-1" in refused(world, "approve", "drop-1")
    assert "budget" in done(world, "approve", "1")
    assert "already" in refused(world, "approve", "1")
    assert world.one("SELECT approved FROM jobs") == 1
    world.steps("upload", "submit approved")
    assert "waits for a person" in refused(world, "approve", "1")


def test_the_results_of_a_job_that_is_done_are_not_delivered_where_that_is_cancelled(world: World, video: Callable[..., bytes]) -> None:
    arrive(world, "clip.mp4", video())
    world.through("deliver")
    assert "not delivered" in done(world, "cancel", "1")
    work(world)
    assert states(world) == ["kept"]
    assert not (world.outbox / ORDER / "clip.es.mp4").exists()
    assert "results are delivered" in done(world, "retry", "1")
    work(world)
    assert states(world) == ["archived"]


def test_a_file_whose_task_is_under_way_is_cancelled_with_it(world: World, video: Callable[..., bytes]) -> None:
    arrive(world, "clip.mp4", video())
    world.steps("settle", "fingerprint", "order", "prepare", "upload", "submit")
    assert "stays billed" in done(world, "cancel", "drop-1")
    work(world)
    assert (states(world), states(world, "jobs")) == (["kept"], ["cancelled"])
    assert "followed again" in done(world, "retry", "1")
    work(world)
    assert (states(world), states(world, "jobs")) == (["archived"], ["done"])


def test_a_held_file_is_approved_with_its_jobs(world: World, video: Callable[..., bytes]) -> None:
    arrive(world, "clip.mp4", video(), "dub en to es,de hold=yes")
    work(world)
    assert "approve 1" in refused(world, "retry", "1")
    done(world, "approve", "drop-1")
    work(world)
    assert (states(world), states(world, "jobs")) == (["archived"], ["done", "done"])


def test_a_lost_request_that_waits_for_a_person_ends_with_its_file(world: World, video: Callable[..., bytes]) -> None:
    """Nobody wants it any more: approved later, it would wait for ever for a file that nobody names."""
    arrive(world, "clip.mp4", video())
    world.steps("settle", "fingerprint", "order", "prepare", "upload")
    world.rows("UPDATE jobs SET state = 'held', posted = 1, due = NULL, reason = 'it was begun 5 times without coming to an end'")
    assert "a request for it had gone out" in done(world, "cancel", "drop-1")
    assert states(world, "jobs") == ["cancelled"]
    assert "ended already" in refused(world, "cancel", "1")


@pytest.mark.parametrize("target", ["1", "drop-1"])
def test_a_delivery_that_came_to_no_end_five_times_is_held_and_approved(world: World, video: Callable[..., bytes], target: str) -> None:
    arrive(world, "clip.mp4", video())
    world.through("deliver")
    world.rows("UPDATE deliveries SET claims = 5")
    assert isinstance(world.step("deliver"), Hold)
    assert not world.is_due("deliver")
    assert done(world, "approve", target) == "it goes on"
    work(world)
    assert states(world) == ["archived"]


def test_a_file_of_which_nothing_failed_is_not_tried_again(world: World, video: Callable[..., bytes]) -> None:
    arrive(world, "clip.mp4", video())
    work(world)
    assert "nothing of drop-1 has failed" in refused(world, "retry", "drop-1")
    assert "it is done" in refused(world, "retry", "1")


def test_a_file_that_was_deleted_after_its_work_is_not_tried_again(world: World, video: Callable[..., bytes]) -> None:
    world.with_layout(after="delete")
    arrive(world, "clip.mp4", video())
    work(world)
    assert "drop it again" in refused(world, "retry", "drop-1")


def test_a_file_that_went_before_it_became_a_job_is_not_looked_at_again(world: World, video: Callable[..., bytes]) -> None:
    """Neither where that is seen, nor while its root is away and nothing can be seen."""
    path = arrive(world, "clip.mp4", video())
    path.unlink()
    world.notice()
    assert states(world) == ["gone"]
    assert "drop it again" in refused(world, "retry", "drop-1")
    world.unplug()
    assert "drop it again" in refused(world, "retry", "drop-1")
    world.plug_in()


def test_a_refused_file_is_judged_anew_as_it_is_when_it_is_approved(world: World) -> None:
    arrive(world, "clip.mp4", b"this is no film at all")
    work(world)
    assert "taken as it is" in done(world, "approve", "drop-1")
    assert world.rows("SELECT state, accepted FROM drops") == [{"state": "waiting", "accepted": 1}]
    (world.root / "failed" / FILM).unlink()
    assert "being worked on" in refused(world, "retry", "drop-1")


def test_a_job_is_tried_again_while_others_of_its_file_are_under_way(world: World, video: Callable[..., bytes]) -> None:
    arrive(world, "clip.mp4", video(), "dub en to es,de")
    world.steps("settle", "fingerprint", "order")
    done(world, "cancel", "1")
    assert states(world) == ["delivering"]
    done(world, "retry", "1")
    work(world)
    assert (states(world), states(world, "jobs")) == (["archived"], ["done", "done"])


def test_a_file_that_is_held_says_what_lets_it_go(worlds: Callable[..., World], video: Callable[..., bytes]) -> None:
    world = worlds(truncated_after_seconds=1.0)
    held_with_a_hole(world, video())
    assert "approve drop-1" in refused(world, "retry", "drop-1")


@pytest.mark.parametrize("verb", ["retry", "redo", "cancel"])
@pytest.mark.parametrize("target", ["99", "drop-99"])
def test_neither_is_what_nobody_knows_tried_done_again_or_ended(world: World, verb: str, target: str) -> None:
    assert f"no {'job ' if target == '99' else ''}{target}" in refused(world, verb, target)


@pytest.mark.parametrize("scope", ["day", "month"])
def test_a_budget_that_is_approved_does_not_count_until_its_time_turns(world: World, scope: str) -> None:
    now = world.clock.now()
    world.act(lambda tx: tx.brakes.pull("budget", scope, "it is used up", "", now, now + 3600))
    assert "does not count until" in done(world, "approve", "budget")


def test_an_account_that_is_approved_is_submitted_to_again(world: World) -> None:
    now = world.clock.now()
    world.act(lambda tx: tx.brakes.pull("account", "", "another account", "", now, now + 3600))
    assert "again" in done(world, "approve", "account")
    assert world.act(lambda tx: tx.brakes.on()) == []


def test_a_defect_while_a_command_is_done_is_its_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not tried for ever, and what comes after it is done."""

    def broken(*_: Any) -> str:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("qavix_watch.stages.steer.VERBS", {"pause": broken})
    assert "ZeroDivisionError" in refused(world, "pause")


def test_an_approval_is_of_the_order_that_was_approved(world: World, video: Callable[..., bytes]) -> None:
    arrive(world, "clip.mp4", video(), "subs en to es hold=yes")
    world.steps("settle", "fingerprint", "order")
    done(world, "approve", "1")
    (world.inbox / "subs en to es hold=yes" / "qavix.toml").write_text("embed = true")
    world.notice()
    work(world)
    assert world.rows("SELECT 1 FROM jobs WHERE posted") == []
    assert states(world, "jobs") == ["cancelled", "held"]


def test_what_failed_in_two_generations_is_tried_again_once(world: World, failed: bytes) -> None:
    fail_tasks(world)
    done(world, "retry", "1")
    work(world)
    assert done(world, "retry", "drop-1") == "it is tried again as job 3, a new task"


def test_a_held_task_that_the_service_has_is_followed_again_when_it_is_approved(world: World, video: Callable[..., bytes]) -> None:
    arrive(world, "clip.mp4", video())
    world.steps("settle", "fingerprint", "order", "prepare", "upload", "submit")
    world.rows("UPDATE jobs SET state = 'held', due = NULL, reason = 'it was begun 5 times without coming to an end'")
    assert done(world, "approve", "1") == "it goes on"
    assert states(world, "jobs") == ["processing"]
    work(world)
    assert states(world) == ["archived"]


def test_what_was_fetched_of_a_job_is_forgotten_when_it_is_cancelled(world: World, video: Callable[..., bytes]) -> None:
    arrive(world, "clip.mp4", video())
    world.through("fetch")
    piece = world.claim("fetch")
    assert piece is not None
    world.outcome(piece)
    assert world.one("SELECT staged FROM results") is not None
    world.act(lambda tx: tx.work.rescue("node", world.clock.now(), 3600.0))
    assert "stays billed" in done(world, "cancel", "1")
    assert world.one("SELECT staged FROM results") is None


def test_a_task_that_another_file_wants_goes_on_without_the_one_that_is_cancelled(world: World, video: Callable[..., bytes]) -> None:
    data = video()
    arrive(world, "one.mp4", data)
    arrive(world, "two.mp4", data)
    for _ in range(2):
        world.steps("settle", "fingerprint", "order")
    world.steps("prepare", "upload", "submit")
    assert done(world, "cancel", "drop-1") == "it is ended; its job 1 goes on for others that want the same"
    work(world)
    assert (states(world), states(world, "jobs")) == (["kept", "archived"], ["done"])


def test_a_film_that_was_refused_for_being_cut_is_paired_with_its_picture_when_it_is_approved(
    worlds: Callable[..., World], video: Callable[..., bytes], picture: bytes
) -> None:
    world = worlds(truncated_after_seconds=1.0)
    data = video(200_000)
    world.drop("face swap", "clip.jpg", picture)
    arrive(world, "clip.mp4", data[: len(data) // 2], "face swap")
    world.later(10)
    work(world)
    assert states(world) == ["failed"]
    done(world, "approve", "drop-1")
    for _ in range(2):  # a picture that it has just found is to be quiet as well
        world.later(60)
        if world.is_due("settle"):
            world.step("settle")
    assert world.rows("SELECT state, partner FROM drops") == [{"state": "settled", "partner": b"face swap/clip.jpg"}]


@pytest.mark.parametrize("after", ["archive", "keep"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_pair_is_not_done_again_with_another_picture(
    world: World, video: Callable[..., bytes], picture: bytes, when: str, after: str
) -> None:
    """That would be other work. What is wrong with it is said, and nothing waits for the picture for ever."""
    world.with_layout(after=after)
    theirs = world.drop("face swap", "face.jpg", picture)
    arrive(world, "clip.mp4", video(), "face swap")
    work(world)
    assert states(world) == ["archived" if after == "archive" else "kept"]
    if when == "before":
        theirs.write_bytes(picture + b"another")
        assert "picture or sound" in refused(world, "redo", "1")
        return
    done(world, "redo", "1")
    theirs.write_bytes(picture + b"another")
    world.notice()
    work(world)
    assert states(world, "jobs") == ["done", "failed"]
    assert "picture or sound" in world.one("SELECT reason FROM jobs WHERE id = 2")


def test_a_pair_that_failed_is_tried_again_from_where_both_were_put(world: World, video: Callable[..., bytes], picture: bytes) -> None:
    world.drop("face swap", "clip.jpg", picture)
    fail_tasks(world, 1)
    arrive(world, "clip.mp4", video(), "face swap")
    work(world)
    assert world.files("failed") == ["face swap/clip.jpg", "face swap/clip.mp4", "face swap/clip.mp4.why.txt"]
    done(world, "retry", "1")
    work(world)
    assert (states(world), world.files("failed")) == (["archived"], [])


@pytest.mark.parametrize("after", ["archive", "keep"])
def test_what_we_wrote_goes_where_a_failed_original_was_taken_away_with_its_folder(
    world: World, video: Callable[..., bytes], tmp_path: Path, after: str
) -> None:
    """It is dropped anew elsewhere; neither a folder that is missing nor one in the inbox is in the way."""
    world.with_layout(after=after)
    data = video()
    fail_tasks(world, 1)
    path = arrive(world, "clip.mp4", data)
    work(world)
    if after == "keep":
        path.unlink()
    else:
        (world.root / "failed" / ORDER).rename(tmp_path / "away")
    arrive(world, "again.mp4", data)
    work(world)
    assert states(world) == ["failed", "kept" if after == "keep" else "archived"]
    assert [name for name in (*world.files("failed"), *world.files("inbox")) if name.endswith(".why.txt")] == []


@pytest.mark.parametrize(("trouble", "outcome"), [(NoSpace, Brake), (StateBusy, Retry)])
def test_a_state_that_takes_nothing_for_a_moment_leaves_a_command_for_later(
    world: World, monkeypatch: pytest.MonkeyPatch, trouble: type[QavixWatchError], outcome: type
) -> None:
    def full(*_: Any) -> str:
        raise trouble("the state could not be written")

    number = world.act(lambda tx: tx.commands.add("pause", "", {}, world.clock.now()))
    world.act(lambda tx: (tx.house.duty("steer", 0.0), tx.house.hurry("steer", 0.0)))
    monkeypatch.setattr("qavix_watch.stages.steer.VERBS", {"pause": full})
    assert isinstance(world.step("steer"), outcome)
    assert world.act(lambda tx: tx.commands.answers([number])) == {}


def test_what_another_host_has_done_meanwhile_is_not_done_again(world: World) -> None:
    """This one read what waits, stood still for longer than its lease, and woke: a `redo` that is done twice is billed twice."""
    number = world.act(lambda tx: tx.commands.add("pause", "", {}, world.clock.now()))
    world.act(lambda tx: (tx.house.duty("steer", 0.0), tx.house.hurry("steer", 0.0)))

    class Frozen:
        async def transaction(self, name: str, act: Callable[[Any], Any]) -> Any:
            found = await world.store.transaction(name, act)
            if name == "commands":
                await world.store.transaction("elsewhere", lambda tx: tx.commands.answer(number, True, "paused elsewhere", 1.0))
            return found

    world.with_ports(store=Frozen())
    world.step("steer")
    assert world.rows("SELECT name FROM brakes") == []
    assert world.act(lambda tx: tx.commands.answers([number])) == {number: (True, "paused elsewhere")}
