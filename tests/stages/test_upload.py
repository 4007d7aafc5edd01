"""A content goes up once, whole, and only if it is what was read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.core.outcomes import Brake, Later, Retry
from qavix_watch.errors import FileUnreadable
from qavix_watch.fs.disk import Disk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.world import World

ORDER = "dub en to es"


@pytest.fixture
def waiting(world: World, video: Callable[..., bytes]) -> Path:
    """The file of a job that waits for its content to go up."""
    path = world.drop(ORDER, "clip.mp4", video(100_000))
    world.notice()
    world.steps("settle", "fingerprint", "order", "prepare")
    return path


class Meddled(Disk):
    """The real disk, on which somebody does something while the file is read for the upload."""

    def __init__(self, meddle: Callable[[], Any]) -> None:
        super().__init__()
        self.meddle: Callable[[], Any] | None = meddle

    def open(self, path: bytes) -> Any:
        found = super().open(path)
        if self.meddle is not None:
            self.meddle, meddle = None, self.meddle
            meddle()
        return found


def sent(world: World) -> int:
    return int(world.sandbox.ledger()["totals"]["puts"])


def content(world: World) -> dict[str, Any]:
    return world.rows("SELECT * FROM contents ORDER BY id DESC LIMIT 1")[0]


def test_a_content_goes_up_and_the_job_that_waits_for_it_goes_on(world: World, waiting: Path) -> None:
    world.steps("upload")
    found = content(world)
    assert (found["state"], found["uploads"], world.state("jobs")) == ("stored", 1, "submitting")
    assert found["file_id"]
    assert found["url_expires"] > world.clock.now()


def test_what_the_service_holds_already_is_not_sent_again(world: World, waiting: Path, worlds: Callable[..., World]) -> None:
    """Another installation of the same account had it."""
    world.steps("upload")
    before = sent(world)
    other = worlds()
    other.drop(ORDER, "same.mp4", waiting.read_bytes())
    other.notice()
    other.steps("settle", "fingerprint", "order", "prepare", "upload")
    assert (content(other)["state"], content(other)["uploads"], sent(other)) == ("stored", 0, before)


def test_one_content_of_two_jobs_goes_up_once(world: World, waiting: Path) -> None:
    world.drop("dub en to fr", "clip.mp4", waiting.read_bytes())
    world.notice()
    world.steps("settle", "fingerprint", "order", "prepare", "upload")
    assert world.claim("upload") is None
    assert [row["state"] for row in world.rows("SELECT state FROM jobs")] == ["submitting", "submitting"]


def test_what_was_sent_and_could_not_be_confirmed_is_confirmed_later_and_not_sent_again(world: World, waiting: Path) -> None:
    before = sent(world)
    world.sandbox.faults({"operation": "confirm_upload", "kind": "status", "status": 500, "times": 1})
    assert isinstance(world.step("upload"), Retry)
    world.later(60)
    world.steps("upload")
    assert (content(world)["state"], sent(world) - before) == ("stored", 1)


def test_what_was_sent_and_the_service_does_not_have_is_sent_again(world: World, waiting: Path) -> None:
    before = sent(world)
    world.sandbox.faults({"operation": "confirm_upload", "kind": "status", "status": 404, "times": 1})
    assert isinstance(world.step("upload"), Retry)
    world.later(60)
    world.steps("upload")
    assert (content(world)["state"], content(world)["uploads"], sent(world) - before) == ("stored", 2, 2)


def test_a_content_that_nobody_wants_any_more_stays_where_it_is(world: World, waiting: Path) -> None:
    waiting.unlink()
    world.look()
    assert world.state("jobs") == "cancelled"
    assert isinstance(world.step("upload"), Later)
    assert content(world)["due"] is None


def test_a_job_that_is_cancelled_while_its_content_goes_up_and_wanted_again_finds_it_there(
    world: World, waiting: Path, tmp_path: Path
) -> None:
    piece = world.claim("upload")
    assert piece is not None
    said = world.outcome(piece)
    waiting.rename(tmp_path / "clip.mp4")
    world.look()
    assert world.state("jobs") == "cancelled"
    world.record(piece, said)
    (tmp_path / "clip.mp4").rename(waiting)
    world.notice()
    world.steps("settle", "fingerprint", "order", "prepare")
    assert world.state("jobs") == "submitting"
    assert world.claim("upload") is None


def test_a_drop_that_has_the_same_content_serves_as_well(world: World, waiting: Path) -> None:
    other = world.drop("dub en to fr", "copy.mp4", waiting.read_bytes())
    world.notice()
    world.steps("settle", "fingerprint", "order", "prepare")
    waiting.write_bytes(b"something else")
    world.steps("upload")
    assert other.exists()
    assert content(world)["uploads"] == 1


def test_an_archived_original_serves_for_another_order(world: World, video: Callable[..., bytes]) -> None:
    data = video()
    world.drop(ORDER, "clip.mp4", data)
    world.notice()
    world.through()
    world.sandbox.control("forget-files", {"file_ids": [content(world)["file_id"]]})
    world.act(lambda tx: tx.contents.forgotten(content_sha(tx), world.clock.now(), "a test"))
    copy = world.drop("dub en to fr", "clip.mp4", data)
    world.notice()
    world.steps("settle", "fingerprint", "order", "prepare")
    copy.unlink()
    world.steps("upload")
    assert content(world)["uploads"] == 2


def content_sha(tx: Any) -> str:
    return str(tx.work._connection.execute("SELECT sha256 FROM contents").fetchone()[0])


def test_where_no_file_has_the_content_any_more_it_is_tried_later(world: World, waiting: Path) -> None:
    waiting.unlink()
    said = world.step("upload")
    assert isinstance(said, Retry)
    assert "no file with this content" in said.why


def test_an_offline_root_is_no_missing_file(world: World, waiting: Path) -> None:
    waiting.unlink()
    world.unplug()
    said = world.step("upload")
    assert isinstance(said, Brake)
    assert said.name == "root"


@pytest.mark.parametrize("how", ["rewritten", "grown", "cut", "touched", "replaced"])
def test_a_file_that_changes_under_the_upload_is_not_submitted_and_settles_again(
    world: World, waiting: Path, video: Callable[..., bytes], how: str
) -> None:
    size = waiting.stat().st_size

    def meddle() -> None:
        if how == "rewritten":
            with waiting.open("r+b") as file:
                file.write(b"XXXX")
        elif how == "grown":
            with waiting.open("ab") as file:
                file.write(b"more")
        elif how == "cut":
            os.truncate(waiting, size - 4)
        elif how == "touched":
            os.utime(waiting, (1, 1))
        else:
            other = waiting.with_name(".other")
            other.write_bytes(video())
            other.rename(waiting)

    world.with_ports(files=Meddled(meddle))
    said = world.step("upload")
    assert isinstance(said, Retry)
    assert (content(world)["state"], world.state("jobs"), world.state()) == ("absent", "cancelled", "waiting")


def test_a_file_that_is_taken_out_under_the_upload_is_left_to_the_next_look(world: World, waiting: Path) -> None:
    world.with_ports(files=Meddled(waiting.unlink))
    assert isinstance(world.step("upload"), Retry)
    world.look()
    assert (world.state(), world.state("jobs")) == ("gone", "cancelled")


def test_a_file_that_is_renamed_under_the_upload_is_not_sent_again(world: World, waiting: Path) -> None:
    before = sent(world)
    world.with_ports(files=Meddled(lambda: waiting.rename(waiting.with_name("film.mp4"))))
    assert isinstance(world.step("upload"), Retry)
    world.look()
    world.later(60)
    world.through("submit")
    assert (content(world)["state"], sent(world) - before) == ("stored", 1)


def test_a_file_that_cannot_be_read_is_tried_again(world: World, waiting: Path) -> None:
    class Failing(Disk):
        def open(self, path: bytes) -> Any:
            raise FileUnreadable("no right")

    world.with_ports(files=Failing())
    assert isinstance(world.step("upload"), Retry)


def test_a_partner_that_changes_under_the_upload_lets_its_video_settle_again(
    world: World, video: Callable[..., bytes], picture: bytes
) -> None:
    film = world.drop("face swap", "clip.mp4", video())
    face = world.drop("face swap", "clip.jpg", picture + os.urandom(8))
    world.notice()
    world.through("upload")
    world.act(lambda tx: tx.work._connection.execute("UPDATE contents SET due = NULL WHERE kind = 'video'"))
    world.with_ports(files=Meddled(lambda: os.utime(face, (1, 1))))
    assert isinstance(world.step("upload"), Retry)
    row = world.rows("SELECT state, size FROM drops")[0]
    assert row == {"state": "waiting", "size": film.stat().st_size}


def test_storage_that_refuses_is_asked_again_with_a_new_grant(world: World, waiting: Path) -> None:
    world.sandbox.faults({"operation": "storage_put", "kind": "status", "status": 403, "times": 1})
    said = world.step("upload")
    assert isinstance(said, Retry)
    world.later(60)
    world.steps("upload")


@pytest.mark.parametrize("kind", ["reset", "drop"])
def test_storage_that_fails_is_no_reason_to_stop_asking_the_service(world: World, waiting: Path, kind: str) -> None:
    world.sandbox.faults({"operation": "storage_put", "kind": kind, "times": 1})
    said = world.step("upload")
    assert isinstance(said, Retry)
    world.later(60)
    world.steps("upload")


def test_an_input_that_is_forgotten_while_the_other_is_sent_goes_again(world: World, video: Callable[..., bytes], picture: bytes) -> None:
    """Another job, which has ended since, had found that the service does not know it any more."""
    world.drop("face swap", "clip.mp4", video())
    world.drop("face swap", "clip.jpg", picture + os.urandom(8))
    world.notice()
    world.through("upload")
    world.steps("upload")
    (stored,) = world.rows("SELECT sha256 FROM contents WHERE state = 'stored'")
    world.act(lambda tx: tx.contents.forgotten(stored["sha256"], world.clock.now(), "the service has forgotten the file"))
    world.steps("upload", "upload", "submit")
    assert world.state("jobs") == "processing"
