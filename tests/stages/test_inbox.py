"""From a file in a folder to jobs: when it is complete, what it holds, what its folder asks for, and what people do meanwhile."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.core.files import Writer
from qavix_watch.core.lifecycle import HELD_BY_ORDER
from qavix_watch.core.outcomes import Brake, Done, Later
from qavix_watch.core.secret import Secret
from qavix_watch.errors import FileUnreadable, NoSpace, OptionsError
from qavix_watch.fs.disk import Disk
from qavix_watch.stages.order import read_folder_order
from tests.support.media import make_audio, make_video

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.world import World

ORDER = "dub en to es"


def drop(world: World) -> dict[str, Any]:
    return world.rows("SELECT * FROM drops ORDER BY id DESC LIMIT 1")[0]


def states(world: World) -> list[str]:
    return [row["state"] for row in world.rows("SELECT state FROM drops ORDER BY id")]


def waits(world: World, lane: str, why: str) -> Later:
    said = world.step(lane)
    assert isinstance(said, Later), said
    assert why in said.why
    return said


class Meddled(Disk):
    """The real disk, on which something happens while a file is hashed."""

    def __init__(self, meddle: Callable[[bytes], Any]) -> None:
        super().__init__()
        self.meddle = meddle

    def fingerprint(self, path: bytes, meter: Any) -> Any:
        found = super().fingerprint(path, meter)
        self.meddle(path)
        return found


# Settling

def test_a_file_settles_once_it_has_been_quiet(worlds: Callable[..., World], video: Callable[..., bytes]) -> None:
    world = worlds(settle_seconds=1000.0)
    world.drop(ORDER, "clip.mp4", video())
    world.look()
    world.later(500)
    assert world.claim("settle") is None
    world.later(600)
    assert isinstance(world.step("settle"), Done)


def test_a_file_that_grows_begins_its_quiet_time_anew(world: World, video: Callable[..., bytes]) -> None:
    path = world.drop(ORDER, "clip.mp4", video())
    world.notice()
    with path.open("ab") as file:
        file.write(b"more")
    waits(world, "settle", "still being written")
    assert drop(world)["size"] == path.stat().st_size


def test_a_file_that_somebody_writes_waits(world: World, video: Callable[..., bytes]) -> None:
    path = world.drop(ORDER, "clip.mp4", video())
    world.notice()
    with path.open("r+b"):
        waits(world, "settle", "open for writing")
    world.later(60)
    assert isinstance(world.step("settle"), Done)


def test_a_file_that_was_emptied_waits(world: World, video: Callable[..., bytes]) -> None:
    path = world.drop(ORDER, "clip.mp4", video())
    world.notice()
    path.write_bytes(b"")
    waits(world, "settle", "still being written")
    world.later(5)
    waits(world, "settle", "empty")


def holey(data: bytes) -> bytes:
    """The plain film with room for a hole in the box at its end."""
    return data + (8 + (1 << 20)).to_bytes(4, "big") + b"free"


def test_a_file_with_a_hole_waits_is_held_and_goes_on_when_it_is_filled(worlds: Callable[..., World], video: Callable[..., bytes]) -> None:
    world = worlds(truncated_after_seconds=100.0)
    path = world.drop(ORDER, "clip.mp4", holey(video()))
    os.truncate(path, path.stat().st_size + (1 << 20))
    world.notice()
    waits(world, "settle", "hole")
    world.later(200)
    waits(world, "settle", "hole")
    assert drop(world)["held"]
    assert world.claim("settle") is None
    with path.open("r+b") as file:
        file.seek(len(path.read_bytes()) - (1 << 20))
        file.write(os.urandom(1 << 20))
    world.notice()
    assert isinstance(world.step("settle"), Done)


def test_a_hole_that_a_person_approved_is_taken_as_it_is(worlds: Callable[..., World], video: Callable[..., bytes]) -> None:
    world = worlds(truncated_after_seconds=0.0)
    path = world.drop(ORDER, "clip.mp4", holey(video()))
    os.truncate(path, path.stat().st_size + (1 << 20))
    world.notice()
    world.step("settle")
    world.act(lambda tx: tx.work._connection.execute("UPDATE drops SET held = '', accepted = 1, due = 0"))
    assert isinstance(world.step("settle"), Done)


def test_a_cut_film_waits_and_fails_after_long(worlds: Callable[..., World], tmp_path: Path) -> None:
    world = worlds(truncated_after_seconds=100.0)
    data = make_video(tmp_path / "film.mp4", seconds=1).read_bytes()
    world.drop(ORDER, "clip.mp4", data[: len(data) // 2])
    world.notice()
    waits(world, "settle", "cut short")
    world.later(200)
    said = world.step("settle")
    assert isinstance(said, Done)
    assert (drop(world)["state"], drop(world)["verdict"]) == ("archiving", "failed")


@pytest.mark.parametrize(("after", "state"), [("archive", "settled"), ("keep", "waiting")])
def test_a_cut_film_that_is_dragged_back_is_meant_and_one_that_only_gets_another_name_is_not(
    worlds: Callable[..., World], tmp_path: Path, after: str, state: str
) -> None:
    world = worlds(truncated_after_seconds=100.0)
    world.with_layout(after=after)
    data = make_video(tmp_path / "film.mp4", seconds=1).read_bytes()
    path = world.drop(ORDER, "clip.mp4", data[: len(data) // 2])
    world.notice()
    world.later(200)
    world.steps("settle", "archive")
    lies = path if after == "keep" else world.root / "failed" / ORDER / "clip.mp4"
    lies.rename(path.with_name("again.mp4"))
    world.notice()
    world.step("settle")
    assert states(world) == ["failed", state]


def test_what_is_no_media_of_the_right_kind_is_refused(world: World, tmp_path: Path) -> None:
    sound = make_audio(tmp_path / "sound.m4a", seconds=1).read_bytes()
    world.drop(ORDER, "clip.mp4", sound)
    world.notice()
    world.step("settle")
    assert "not a video (it is sound without a picture)" in drop(world)["reason"]


def test_a_file_that_vanished_is_left_to_whoever_looks_at_the_inbox(world: World, video: Callable[..., bytes]) -> None:
    path = world.drop(ORDER, "clip.mp4", video())
    world.notice()
    path.unlink()
    assert isinstance(world.step("settle"), Later)
    assert world.state() == "waiting"
    world.look()
    assert world.state() == "gone"


def test_while_the_root_is_offline_absence_means_nothing(world: World, video: Callable[..., bytes]) -> None:
    path = world.drop(ORDER, "clip.mp4", video())
    world.notice()
    path.rename(world.base / "away.mp4")
    world.unplug()
    said = world.step("settle")
    assert isinstance(said, Brake)
    world.look()
    assert world.state() == "waiting"
    assert [brake.name for brake in world.act(lambda tx: tx.brakes.on())] == ["root"]
    (world.base / "away.mp4").rename(path)
    world.plug_in()
    world.look()
    assert world.act(lambda tx: tx.brakes.on()) == []
    assert states(world) == ["waiting"]


def test_a_root_that_came_back_while_no_service_ran_is_online(world: World) -> None:
    world.unplug()
    world.look()
    world.plug_in()
    world.intake = world.new_intake()
    world.look()
    assert world.act(lambda tx: tx.brakes.on()) == []


def test_a_folder_that_cannot_be_listed_is_not_taken_for_an_empty_one(world: World, video: Callable[..., bytes]) -> None:
    class Unlisted(Disk):
        def scan(self, path: bytes, skip: Any, unread: Any = None) -> Any:
            for entry in super().scan(path, skip, unread):
                if ORDER.encode() in entry.path:
                    if entry.stat.is_dir:
                        unread(entry.path)
                    continue
                yield entry

    world.drop(ORDER, "clip.mp4", video())
    world.notice()
    world.with_ports(files=Unlisted())
    world.look()
    assert states(world) == ["waiting"]


def test_a_folder_that_is_still_arriving_is_judged_when_it_has_been_quiet(
    worlds: Callable[..., World], video: Callable[..., bytes]
) -> None:
    world = worlds(settle_folder_seconds=10.0)
    world.drop(f"{ORDER}/film", "clip.mp4", video())
    world.look()
    world.later(5)
    assert world.claim("settle") is None
    world.drop(f"{ORDER}/film", "second.mp4", video())
    world.look()
    world.later(6)
    assert world.claim("settle") is None, "it still grows"
    world.later(6)
    world.look()
    world.later(6)
    assert isinstance(world.step("settle"), Done)


def test_a_file_that_is_closed_after_a_start_waits_for_its_folder_all_the_same(
    worlds: Callable[..., World], video: Callable[..., bytes]
) -> None:
    """What came before the start says when its folder will have arrived."""
    world = worlds(settle_folder_seconds=100.0)
    path = world.drop(f"{ORDER}/film", "clip.mp4", video())
    world.look()
    world.later(60)
    world.drop(f"{ORDER}/film", "second.mp4", video())
    world.look()
    world.later(45)
    world.intake = world.new_intake()
    world.intake.hint(os.fsencode(path), closed=True)
    world.look()
    world.later(5)
    waits(world, "settle", "its folder is still arriving")


def test_a_file_that_is_gone_is_missed_by_a_look_at_its_folder_alone(world: World, video: Callable[..., bytes]) -> None:
    path = world.drop(ORDER, "clip.mp4", video())
    world.notice()
    path.unlink()
    world.run(world.intake.look({b"elsewhere": False}))
    assert states(world) == ["waiting"]
    world.run(world.intake.look({ORDER.encode(): False}))
    assert states(world) == ["gone"]


def test_a_clock_that_is_set_back_leaves_no_folder_arriving_for_days(worlds: Callable[..., World], video: Callable[..., bytes]) -> None:
    world = worlds(settle_folder_seconds=10.0)
    world.drop(f"{ORDER}/film", "clip.mp4", video())
    world.look()
    world.later(-86400)
    world.act(lambda tx: tx.work.shift(-86400.0))
    world.look()
    world.later(12)
    assert isinstance(world.step("settle"), Done)


# Reading

def test_a_film_is_read_whole_once_and_known(world: World, video: Callable[..., bytes]) -> None:
    world.drop(ORDER, "clip.mp4", video())
    world.notice()
    world.steps("settle", "fingerprint")
    (content,) = world.rows("SELECT * FROM contents")
    assert (content["sha256"], content["kind"], content["state"]) == (drop(world)["sha256"], "video", "absent")
    assert content["duration"] == pytest.approx(1, abs=0.3)


@pytest.mark.parametrize("how", ["grown", "gone", "replaced"])
def test_a_file_that_changes_while_it_is_read_settles_again(world: World, video: Callable[..., bytes], how: str) -> None:
    path = world.drop(ORDER, "clip.mp4", video())
    world.notice()
    world.steps("settle")

    def meddle(_: bytes) -> None:
        if how != "grown":
            path.unlink()
        if how != "gone":
            path.write_bytes(video(99))

    world.with_ports(files=Meddled(meddle))
    world.step("fingerprint")
    world.with_ports(files=Disk())
    world.notice()
    if how == "gone":
        assert world.state() == "gone"
        return
    world.through("upload")
    assert world.rows("SELECT main_sha256 FROM jobs WHERE state <> 'cancelled'") == [{"main_sha256": drop(world)["sha256"]}]
    assert drop(world)["size"] == path.stat().st_size


def test_a_file_that_changes_under_the_very_reading_settles_again(world: World, video: Callable[..., bytes]) -> None:
    class Growing(Disk):
        def fingerprint(self, path: bytes, meter: Any) -> Any:
            found = super().fingerprint(path, meter)
            return replace(found, after=replace(found.after, size=found.after.size + 1))

    world.drop(ORDER, "clip.mp4", video())
    world.notice()
    world.steps("settle")
    world.with_ports(files=Growing())
    world.step("fingerprint")
    assert (world.state(), drop(world)["sha256"]) == ("waiting", None)


def test_a_file_that_changed_before_it_was_read_settles_again(world: World, video: Callable[..., bytes]) -> None:
    path = world.drop(ORDER, "clip.mp4", video())
    world.notice()
    world.steps("settle")
    path.write_bytes(video(99))
    world.steps("fingerprint")
    assert (world.state(), drop(world)["size"]) == ("waiting", path.stat().st_size)


def test_a_file_that_goes_away_with_its_root_pulls_the_brake(world: World, video: Callable[..., bytes]) -> None:
    path = world.drop(ORDER, "clip.mp4", video())
    world.notice()
    world.steps("settle")
    path.unlink()
    world.unplug()
    assert isinstance(world.step("fingerprint"), Brake)


# Two inputs

@pytest.fixture
def film(world: World, video: Callable[..., bytes]) -> Path:
    path = world.drop("face swap", "clip.mp4", video())
    world.notice()
    return path


def test_a_film_without_its_picture_waits_and_says_for_what(world: World, film: Path) -> None:
    waits(world, "settle", "put “clip.jpg” beside it")


def test_a_picture_that_arrives_wakes_the_film_that_waits_for_it(world: World, film: Path, picture: bytes) -> None:
    world.step("settle")
    world.drop("face swap", "clip.jpg", picture)
    world.notice()
    waits(world, "settle", "arrived a moment ago")
    world.later(5)
    assert isinstance(world.step("settle"), Done)
    assert drop(world)["partner"] == b"face swap/clip.jpg"
    world.look()
    assert world.state() == "settled", "it is the picture that it settled with"


def test_two_pictures_of_one_stem_are_named(world: World, film: Path, picture: bytes) -> None:
    for suffix in ("jpg", "jpeg"):
        world.drop("face swap", f"clip.{suffix}", picture)
    waits(world, "settle", "two files could go with it")


def test_a_picture_that_is_none_waits_to_be_replaced(world: World, film: Path) -> None:
    world.drop("face swap", "clip.jpg", b"this is no picture")
    world.step("settle")
    world.later(5)
    waits(world, "settle", "is not a picture")


def test_a_picture_that_is_still_written_is_waited_for(world: World, film: Path, picture: bytes) -> None:
    face = world.drop("face swap", "clip.jpg", picture)
    world.step("settle")
    world.later(5)
    with face.open("r+b"):
        waits(world, "settle", "open for writing")


def test_a_picture_that_changes_begins_its_quiet_time_anew(world: World, film: Path, picture: bytes) -> None:
    face = world.drop("face swap", "clip.jpg", picture)
    world.step("settle")
    world.later(5)
    face.write_bytes(picture + b"more")
    waits(world, "settle", "arrived a moment ago")


def test_a_shared_picture_is_used_only_once_the_folder_is_quiet(
    worlds: Callable[..., World], video: Callable[..., bytes], picture: bytes
) -> None:
    world = worlds(settle_folder_seconds=30.0)
    world.drop("face swap", "face.jpg", picture)
    world.drop("face swap/films", "clip.mp4", video())
    world.later(31)
    world.look()
    world.later(2)
    world.step("settle")
    world.later(2)
    waits(world, "settle", "a file of its own name may still come")
    world.later(40)
    assert isinstance(world.step("settle"), Done)


def test_a_picture_that_changes_before_it_is_read_is_not_used(world: World, film: Path, picture: bytes) -> None:
    face = world.drop("face swap", "clip.jpg", picture)
    world.step("settle")
    world.later(5)
    world.steps("settle")
    face.write_bytes(picture + b"more")
    world.step("fingerprint")
    assert world.state() == "waiting"


def test_a_picture_that_goes_away_is_waited_for_again(world: World, film: Path, picture: bytes) -> None:
    face = world.drop("face swap", "clip.jpg", picture)
    world.step("settle")
    world.later(5)
    world.steps("settle")
    face.unlink()
    world.step("fingerprint")
    world.later(5)
    waits(world, "settle", "put “clip.jpg” beside it")
    assert drop(world)["partner"] is None


def test_a_picture_that_is_cut_short_waits_to_be_whole(world: World, film: Path, picture: bytes) -> None:
    world.drop("face swap", "clip.jpg", picture[: len(picture) // 2])
    world.step("settle")
    world.later(5)
    waits(world, "settle", "clip.jpg")


def test_a_picture_that_goes_away_while_it_is_looked_at_is_waited_for(world: World, film: Path, picture: bytes) -> None:
    face = world.drop("face swap", "clip.jpg", picture)

    class Fleeting(Disk):
        def stat(self, path: bytes) -> Any:
            if path == os.fsencode(face):
                face.unlink()
            return super().stat(path)

    world.with_ports(files=Fleeting())
    waits(world, "settle", "taken away")


def test_a_folder_that_cannot_be_listed_has_no_partner(world: World, film: Path) -> None:
    class Unlisted(Disk):
        def listdir(self, path: bytes) -> list[bytes]:
            raise FileUnreadable("no right")

    world.with_ports(files=Unlisted())
    waits(world, "settle", "put “clip.jpg” beside it")


@pytest.mark.parametrize("how", ["replaced", "taken out"])
def test_a_picture_that_is_not_what_was_read_begins_the_pair_again(world: World, film: Path, picture: bytes, how: str) -> None:
    face = world.drop("face swap", "clip.jpg", picture)
    world.step("settle")
    world.later(5)
    world.steps("settle", "fingerprint", "order")
    face.unlink()
    if how == "replaced":
        face.write_bytes(picture + b"another")
    world.look()
    assert (world.state(), world.state("jobs")) == ("waiting", "cancelled")


# Ordering

@pytest.fixture
def read(world: World, video: Callable[..., bytes]) -> Path:
    """The file of a drop that is read, and to be ordered."""
    path = world.drop(ORDER, "clip.mp4", video())
    world.notice()
    world.steps("settle", "fingerprint")
    return path


def test_each_target_is_a_job_of_its_own(world: World, video: Callable[..., bytes]) -> None:
    world.drop("dub en to es,de", "clip.mp4", video())
    world.notice()
    world.steps("settle", "fingerprint", "order")
    assert [row["language"] for row in world.rows("SELECT language FROM jobs ORDER BY id")] == ["es", "de"]
    assert len(world.rows("SELECT id FROM deliveries")) == 2


def test_options_that_came_meanwhile_count(world: World, read: Path) -> None:
    (read.parent / "qavix.toml").write_text('priority = "high"\n')
    world.steps("order")
    assert (world.state(), drop(world)["priority"]) == ("waiting", 1)


def test_options_that_are_broken_stop_what_was_not_submitted(world: World, read: Path) -> None:
    (read.parent / "qavix.toml").write_text("priority = \n")
    world.step("order")
    world.later(100)
    waits(world, "settle", "not understood")
    (read.parent / "qavix.toml").unlink()
    world.notice()
    world.later(100)
    world.through("upload")
    assert world.state("jobs") == "uploading"


def test_options_that_break_take_back_what_was_not_submitted_at_the_next_look(world: World, read: Path) -> None:
    world.steps("order")
    (read.parent / "qavix.toml").write_text("priority = \n")
    world.look()
    assert (world.state(), world.state("jobs")) == ("waiting", "cancelled")
    (read.parent / "qavix.toml").unlink()
    world.notice()
    world.through("submit")
    assert world.state("jobs") == "submitting"


def test_options_that_cannot_be_read_stop_it_too(world: World, read: Path) -> None:
    (read.parent / "qavix.toml").mkdir()
    world.step("order")
    assert world.state() == "waiting"


def test_options_written_by_a_person_who_sees_no_suffixes_count(world: World, read: Path) -> None:
    (read.parent / "qavix.toml.txt").write_text("hold = true\n")
    world.notice()
    world.steps("settle", "fingerprint", "order")
    assert world.rows("SELECT state, reason FROM jobs") == [{"state": "held", "reason": HELD_BY_ORDER}]


def test_work_that_its_options_no_longer_hold_goes_on(world: World, read: Path) -> None:
    options = read.parent / "qavix.toml"
    options.write_text("hold = true\n")
    world.notice()
    world.steps("settle", "fingerprint", "order")
    assert world.state("jobs") == "held"
    options.unlink()
    world.notice()
    world.through()
    assert world.state() == "archived"


def test_taking_a_held_file_out_and_putting_it_back_is_no_approval(world: World, video: Callable[..., bytes], tmp_path: Path) -> None:
    path = world.drop(f"{ORDER} hold=yes", "clip.mp4", video())
    world.notice()
    world.steps("settle", "fingerprint", "order")
    path.rename(tmp_path / "away.mp4")
    world.look()
    assert world.state("jobs") == "cancelled"
    (tmp_path / "away.mp4").rename(path)
    world.notice()
    world.steps("settle", "fingerprint", "order")
    assert (len(world.rows("SELECT id FROM jobs")), world.state("jobs")) == (1, "held")


def test_a_voice_is_found_by_its_name(world: World, video: Callable[..., bytes]) -> None:
    voice = next(voice for voice in world.run(world.client.list_voices()) if voice.type == "system")
    world.drop(f"dub en to es voice={voice.voice_id}", "clip.mp4", video())
    world.notice()
    world.steps("settle", "fingerprint", "order")
    assert voice.voice_id in world.one("SELECT params_json FROM jobs")


def test_a_voice_that_nobody_knows_waits_and_says_so(world: World, video: Callable[..., bytes]) -> None:
    world.drop(f"{ORDER} voice=Nobody", "clip.mp4", video())
    world.notice()
    world.steps("settle", "fingerprint")
    waits(world, "order", "Nobody")


# Text to speech

@pytest.fixture
def speaking(world: World) -> str:
    """The name of a folder for text."""
    return f"tts voice={world.run(world.client.list_voices())[0].voice_id}"


@pytest.mark.parametrize("data", ["Grüße".encode(), "Grüße".encode("utf-8-sig"), "Grüße".encode("utf-16")])
def test_text_is_read_in_each_encoding_that_editors_write(world: World, speaking: str, data: bytes) -> None:
    world.drop(speaking, "line.txt", data)
    world.notice()
    world.steps("settle", "fingerprint", "order")
    assert world.one("SELECT text FROM jobs") == "Grüße"


def test_text_without_words_is_refused(world: World, speaking: str) -> None:
    world.drop(speaking, "line.txt", b" \n")
    world.notice()
    world.steps("settle", "fingerprint", "order")
    assert drop(world)["reason"] == "there is no text in it"


def test_what_is_no_text_is_refused_with_what_to_do(world: World, speaking: str) -> None:
    world.drop(speaking, "line.txt", b"\xff\xff\xff")
    world.notice()
    world.steps("settle", "fingerprint", "order")
    assert "save it again" in drop(world)["reason"]


def test_text_that_is_too_long_is_refused(worlds: Callable[..., World], speaking: str) -> None:
    world = worlds(text_limit_bytes=10)
    world.drop(speaking, "line.txt", b"a" * 11)
    world.notice()
    world.steps("settle", "fingerprint", "order")
    assert (drop(world)["verdict"], "11 bytes" in drop(world)["reason"]) == ("failed", True)


def test_text_that_changed_after_it_was_read_is_not_spoken_for_the_old_one(world: World, speaking: str) -> None:
    path = world.drop(speaking, "line.txt", b"old text")
    world.notice()
    world.steps("settle", "fingerprint")
    path.write_bytes(b"new text")
    world.steps("order")
    assert world.state() == "waiting"
    world.notice()
    world.through("submit")
    assert world.one("SELECT text FROM jobs") == "new text"


def test_text_that_was_taken_out_is_not_ordered(world: World, speaking: str) -> None:
    path = world.drop(speaking, "line.txt", b"text")
    world.notice()
    world.steps("settle", "fingerprint")
    path.unlink()
    world.steps("order")
    assert world.state() == "waiting"
    world.look()
    assert world.state() == "gone"


# What people do

def test_a_file_that_changes_before_it_is_submitted_begins_again(world: World, read: Path, video: Callable[..., bytes]) -> None:
    world.steps("order")
    read.write_bytes(video(50))
    world.notice()
    assert states(world) == ["waiting"]
    assert world.state("jobs") == "cancelled"
    world.through()
    assert [row["state"] for row in world.rows("SELECT state FROM jobs ORDER BY id")] == ["cancelled", "done"]


@pytest.mark.parametrize("how", ["emptied", "downloaded again"])
def test_a_file_that_is_no_drop_any_more_before_it_is_submitted_is_taken_out(
    world: World, read: Path, video: Callable[..., bytes], how: str
) -> None:
    """Or its job would look for it every second, for ever."""
    world.steps("order")
    read.write_bytes(b"" if how == "emptied" else video(50))
    download = read.with_name(read.name + ".part")
    download.write_bytes(b"more")
    world.notice()
    assert (states(world), world.state("jobs")) == (["gone"], "cancelled")
    download.unlink()
    read.write_bytes(video(60))
    world.notice()
    assert states(world) == ["gone", "waiting"]


def test_a_file_that_is_replaced_after_it_was_submitted_is_a_drop_of_its_own(world: World, read: Path, video: Callable[..., bytes]) -> None:
    world.through("follow")
    read.write_bytes(video(50))
    world.notice()
    assert [(row["state"], row["detached"]) for row in world.rows("SELECT state, detached FROM drops ORDER BY id")] == [
        ("delivering", 1), ("waiting", 0)
    ]  # fmt: skip
    world.through()
    assert world.files() == [f"{ORDER}/clip (2).es.mp4", f"{ORDER}/clip.es.mp4"]


def test_a_file_that_takes_the_place_of_a_submitted_one_while_no_service_ran_is_a_drop_of_its_own(
    world: World, read: Path, video: Callable[..., bytes]
) -> None:
    world.through("follow")
    read.unlink()
    world.look()
    read.write_bytes(video())
    world.intake = world.new_intake()
    world.look()
    assert states(world) == ["delivering", "waiting"]


def test_a_file_brought_again_over_one_that_was_kept_is_a_drop_of_its_own_though_size_and_time_agree(world: World, read: Path) -> None:
    world.with_layout(after="keep")
    world.act(lambda tx: tx.work._connection.execute("UPDATE drops SET after = 'keep'"))
    world.through()
    was, newer = read.stat(), read.with_name(".clip.mp4.Xa81b")
    newer.write_bytes(bytes(reversed(read.read_bytes())))
    os.utime(newer, ns=(was.st_mtime_ns, was.st_mtime_ns))
    newer.rename(read)
    world.look()
    assert states(world) == ["kept", "waiting"]


def test_a_folder_that_is_renamed_before_its_work_is_submitted_asks_for_something_else(world: World, read: Path) -> None:
    world.steps("order")
    read.parent.rename(world.inbox / "dub en to fr")
    world.notice()
    world.through()
    assert world.files() == ["dub en to fr/clip.fr.mp4"]
    assert states(world) == ["gone", "archived"]


@pytest.mark.parametrize("name", [".clip.mp4", "clip.mp4.part"])
def test_what_gets_a_name_that_is_passed_over_once_submitted_is_delivered_under_its_own(world: World, read: Path, name: str) -> None:
    """As after a power cut that took the rename by which its client had given it its name: no result shall be hidden."""
    world.through("follow")
    read.rename(read.with_name(name))
    world.notice()
    world.through()
    assert world.files() == [f"{ORDER}/clip.es.mp4"]
    assert read.with_name(name).exists()


def test_hard_links_in_a_renamed_folder_are_followed_one_by_one(world: World, read: Path) -> None:
    """They share size, time and inode."""
    os.link(read, read.with_name("other.mp4"))
    world.notice()
    world.through("follow")
    read.parent.rename(world.inbox / f"{ORDER} (mine)")
    world.look()
    world.through()
    assert world.files() == [f"{ORDER} (mine)/clip.es.mp4", f"{ORDER} (mine)/other.es.mp4"]


def test_a_close_puts_the_quiet_time_off(worlds: Callable[..., World], video: Callable[..., bytes]) -> None:
    world = worlds(settle_seconds=1000.0)
    path = world.drop(ORDER, "clip.mp4", video())
    world.look()
    world.later(900)
    world.intake.hint(os.fsencode(path), closed=True)
    world.look(ORDER.encode())
    world.later(500)
    assert world.claim("settle") is None


def test_hints_are_gathered_and_looked_at(world: World, video: Callable[..., bytes]) -> None:
    """The running intake: a hint from outside the inbox is none, and what a hint names is seen at once."""
    import asyncio

    world.look()
    path = world.drop(ORDER, "clip.mp4", video())

    async def watch() -> None:
        task = asyncio.create_task(world.intake.run())
        world.intake.hint(b"/elsewhere/clip.mp4", closed=True)
        world.intake.hint(os.fsencode(path.parent), folder=True)
        async with asyncio.timeout(20):
            while not world.rows("SELECT id FROM drops"):  # noqa: ASYNC110 - a row of the state
                await asyncio.sleep(0.01)
        task.cancel()

    world.run(watch())


def test_without_any_hint_the_whole_inbox_is_looked_at_now_and_then(worlds: Callable[..., World], video: Callable[..., bytes]) -> None:
    import asyncio

    world = worlds(rescan_seconds=0.05)
    watched: list[bool] = []
    world.intake.before_scans(watched.append)

    async def watch() -> None:
        task = asyncio.create_task(world.intake.run())
        async with asyncio.timeout(20):
            while not watched:  # noqa: ASYNC110 - a call of the intake's
                await asyncio.sleep(0.01)
            world.drop(ORDER, "clip.mp4", video())
            while not world.rows("SELECT id FROM drops"):  # noqa: ASYNC110 - a row of the state
                await asyncio.sleep(0.01)
        task.cancel()

    world.run(watch())
    assert watched[0] is False


def test_a_state_that_cannot_be_written_does_not_end_the_looking(world: World, video: Callable[..., bytes]) -> None:
    import asyncio

    store = world.store

    class Failing:
        broken = 1

        async def transaction(self, name: str, act: Any) -> Any:
            if name == "the inbox" and self.broken:
                self.broken -= 1
                raise NoSpace("the state could not be written")
            return await store.transaction(name, act)

    path = world.drop(ORDER, "clip.mp4", video())
    world.with_ports(store=Failing())

    async def watch() -> None:
        task = asyncio.create_task(world.intake.run())
        world.intake.hint(os.fsencode(path), closed=True)
        async with asyncio.timeout(20):
            while not world.rows("SELECT id FROM drops"):  # noqa: ASYNC110 - a row of the state
                await asyncio.sleep(0.01)
        task.cancel()

    world.run(watch())


def test_trouble_with_looking_is_told_until_it_is_over(world: World) -> None:
    class Failing(Disk):
        broken = True

        def scan(self, path: bytes, skip: Any, unread: Any = None) -> Any:
            if self.broken:
                raise FileUnreadable("the disk does not answer")
            return super().scan(path, skip, unread)

    failing = Failing()
    world.with_ports(files=failing)
    world.look()
    assert [row["text"] for row in world.rows("SELECT text FROM troubles")] == ["the disk does not answer"]
    failing.broken = False
    world.look()
    assert world.rows("SELECT text FROM troubles") == []


def test_a_filesystem_that_cannot_tell_of_writers_gets_the_longer_quiet_time(world: World, video: Callable[..., bytes]) -> None:
    class Remote(Disk):
        def writer(self, path: bytes) -> Writer:
            return Writer.UNKNOWN

    world.with_ports(files=Remote())
    world.drop(ORDER, "clip.mp4", video())
    world.notice()
    said = waits(world, "settle", "a moment ago")
    assert said.seconds == pytest.approx(5, abs=1)


def test_a_key_that_somebody_wrote_into_a_name_or_its_options_is_no_part_of_the_order(world: World, video: Callable[..., bytes]) -> None:
    """Orders are kept, and what is wrong with them is told: neither may repeat it."""
    key = "qx-live-0123456789"
    world.with_rules(secret=Secret(key))
    path = world.drop(f"dub en to es ({key})", "clip.mp4", video())
    (path.parent / "qavix.toml").write_bytes(f'voice = "{key}"\n'.encode())
    world.notice()
    assert drop(world)["canonical"] == "dub en to es voice=••• (•••)"
    assert key not in drop(world)["order_json"]
    (path.parent / "qavix.toml").write_bytes(f'"{key}" = "\xff"\n'.encode("latin-1"))
    with pytest.raises(OptionsError) as caught:
        read_folder_order(world.ports.files, world.rules, drop(world)["folder"], drop(world)["path"])
    assert "UTF-8" in str(caught.value)
