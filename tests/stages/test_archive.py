"""Originals are put away only once, only if they are the ones that were worked on, and never lost."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from qavix_watch.core.outcomes import Brake, Done, Fail, Later, Retry
from qavix_watch.errors import Fenced, FileUnreadable, NameRefused
from qavix_watch.fs.disk import Disk
from qavix_watch.stages.whys import remove_why
from tests.support.archiving import Disks, again, die, killed, litter, mounted, settled_under, sweep

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qavix_watch.core.outcomes import Outcome
    from tests.support.world import World

ORDER = "dub en to es"


@pytest.fixture
def delivered(world: World, video: Callable[..., bytes]) -> Path:
    """The original of a drop whose results are in place."""
    path = world.drop(ORDER, "clip.mp4", video())
    world.notice()
    world.through("archive")
    assert world.state() == "archiving"
    return path


@pytest.fixture
def refused(world: World) -> Path:
    """The original of a drop that can not be done."""
    path = world.drop(ORDER, "clip.mp4", b"this is no video, whatever its name says")
    world.notice()
    world.steps("settle")
    assert world.state() == "archiving"
    return path


def test_an_original_is_on_the_disk_before_it_is_put_away(world: World, disks: Disks, delivered: Path) -> None:
    """Who brought it may not have waited for that, and a power cut would leave an empty file in the archive."""
    made_durable: list[bytes] = []
    disks.make_durable = made_durable.append  # type: ignore[method-assign]
    disks.before["rename_new"] = lambda: disks.before.update(rename_new=lambda: made_durable.append(b"renamed"))
    world.step("archive")
    assert world.state() == "archived"
    assert [os.path.basename(path)[:13] for path in made_durable] == [b".qavix-aside-", b"renamed"]


def test_an_original_goes_to_the_archive_with_its_folders(world: World, delivered: Path) -> None:
    data = delivered.read_bytes()
    assert isinstance(world.step("archive"), Done)
    assert (world.root / "archive" / ORDER / "clip.mp4").read_bytes() == data
    assert not delivered.exists()
    assert (world.state(), litter(world)) == ("archived", [])
    assert os.fsdecode(world.one("SELECT target FROM drops")) == str(world.root / "archive" / ORDER / "clip.mp4")


def test_a_name_that_is_taken_in_the_archive_gets_a_number(world: World, delivered: Path) -> None:
    taken = world.root / "archive" / ORDER / "clip.mp4"
    taken.parent.mkdir()
    taken.write_bytes(b"something else")
    world.step("archive")
    assert world.files("archive") == [f"{ORDER}/clip (2).mp4", f"{ORDER}/clip.mp4"]
    assert taken.read_bytes() == b"something else"


def test_where_every_name_is_taken_in_the_archive_it_is_tried_later(world: World, delivered: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, taken = delivered.read_bytes(), world.root / "archive" / ORDER / "clip.mp4"
    taken.parent.mkdir(parents=True)
    taken.write_bytes(b"another film")
    with monkeypatch.context() as few:
        few.setattr("qavix_watch.stages.archive.MOST_NUMBERS", 2)
        assert isinstance(world.step("archive"), Later)
    assert world.state() == "archiving"
    world.later(600)
    world.steps("archive")
    assert (taken.read_bytes(), taken.with_name("clip (2).mp4").read_bytes()) == (b"another film", data)
    assert litter(world) == []


def test_the_very_same_content_in_the_archive_is_left_as_it_is(world: World, delivered: Path) -> None:
    taken = world.root / "archive" / ORDER / "clip.mp4"
    taken.parent.mkdir()
    taken.write_bytes(delivered.read_bytes())
    world.step("archive")
    assert world.files("archive") == [f"{ORDER}/clip.mp4"]
    assert world.files("inbox") == []


def test_where_originals_are_kept_nothing_moves(world: World, delivered: Path) -> None:
    settled_under(world, "keep")
    world.step("archive")
    assert delivered.exists()
    assert world.state() == "kept"
    world.look()
    assert len(world.rows("SELECT id FROM drops")) == 1, "what is kept is no new drop"


def test_what_becomes_of_an_original_is_fixed_when_it_settles(world: World, delivered: Path) -> None:
    world.with_layout(after="delete")
    world.step("archive")
    assert (world.state(), world.files("archive")) == ("archived", [f"{ORDER}/clip.mp4"])


def test_where_originals_are_deleted_only_the_one_that_was_read_is(world: World, delivered: Path) -> None:
    settled_under(world, "delete")
    world.step("archive")
    assert not delivered.exists()
    assert (world.state(), world.files("archive")) == ("deleted", [])


def test_other_bytes_with_the_same_times_are_not_deleted(world: World, delivered: Path) -> None:
    """SHA-256 is compared before a delete: size, mtime and inode can be made equal."""
    settled_under(world, "delete")
    stat = delivered.stat()
    with delivered.open("r+b") as file:
        file.write(b"X")
    os.utime(delivered, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    world.step("archive")
    assert delivered.read_bytes()[:1] == b"X"
    assert world.state() == "kept"
    world.look()
    assert world.state() == "waiting", "it counts as a new drop"


def test_an_original_that_was_replaced_stays_and_is_a_new_drop(world: World, delivered: Path, video: Callable[..., bytes]) -> None:
    delivered.unlink()
    delivered.write_bytes(data := video(5))
    world.step("archive")
    assert delivered.read_bytes() == data
    assert (world.state(), world.files("archive")) == ("kept", [])
    world.look()
    assert [row["state"] for row in world.rows("SELECT state FROM drops ORDER BY id")] == ["kept", "waiting"]


def test_an_original_that_was_taken_away_is_no_failure(world: World, delivered: Path) -> None:
    """That it was not only moved, a look at the inbox tells."""
    delivered.unlink()
    assert isinstance(world.step("archive"), Later)
    world.look()
    assert isinstance(world.step("archive"), Done)
    assert world.state() == "kept"


@pytest.mark.parametrize("first", ["look", "archive"])
@pytest.mark.parametrize("after", ["archive", "delete"])
def test_an_original_whose_folder_is_renamed_before_it_is_put_away_is_followed(
    world: World, delivered: Path, after: str, first: str
) -> None:
    """Whoever notices first. It is delivered already: the other order is not done for it too."""
    settled_under(world, after)
    with delivered.open("ab"):  # an earlier try has got so far
        assert isinstance(world.step("archive"), Later)
    world.later(10)
    delivered.parent.rename(world.inbox / "erase")
    if first == "archive":
        assert isinstance(world.step("archive"), Later)
    world.look()
    world.steps("archive")
    wanted = {"archive": ("archived", ["erase/clip.mp4"]), "delete": ("deleted", [])}
    assert (world.state(), world.files("archive")) == wanted[after]
    assert world.files("inbox") == []
    assert len(world.rows("SELECT 1 FROM drops")) == 1


def test_an_original_that_is_open_for_writing_waits(world: World, delivered: Path) -> None:
    with delivered.open("ab"):
        said = world.step("archive")
    assert isinstance(said, Later)
    assert delivered.exists()
    world.later(10)
    world.step("archive")
    assert world.state() == "archived"


def test_a_file_replaced_between_the_rename_and_the_look_gets_its_name_back(
    world: World, delivered: Path, disks: Disks, video: Callable[..., bytes]
) -> None:
    data = video(7)

    def replace() -> None:
        delivered.write_bytes(data)

    disks.before["rename_new"] = replace
    world.step("archive")
    assert delivered.read_bytes() == data
    assert (world.state(), litter(world)) == ("kept", [])


def test_a_file_that_cannot_have_its_name_back_gets_a_number(
    world: World, delivered: Path, disks: Disks, video: Callable[..., bytes]
) -> None:
    one, two = video(7), video(8)
    disks.before["rename_new"] = lambda: delivered.write_bytes(one) and None
    disks.after["rename_new"] = lambda: delivered.write_bytes(two) and None
    world.step("archive")
    assert delivered.read_bytes() == two
    assert delivered.with_name("clip (2).mp4").read_bytes() == one


def test_a_file_for_which_every_name_is_taken_is_given_back_at_the_next_look(
    world: World, delivered: Path, disks: Disks, video: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = video(7), video(8)
    disks.before["rename_new"] = lambda: delivered.write_bytes(one) and None
    disks.after["rename_new"] = lambda: delivered.write_bytes(two) and None
    with monkeypatch.context() as few:
        few.setattr("qavix_watch.stages.moving.MOST_NUMBERS", 2)
        world.step("archive")
    assert len(litter(world)) == 1
    world.look()
    assert (delivered.read_bytes(), delivered.with_name("clip (2).mp4").read_bytes()) == (two, one)


# Kills

def test_a_kill_before_the_original_was_taken_aside_costs_nothing(world: World, delivered: Path, disks: Disks) -> None:
    disks.before["rename_new"] = die
    killed(world)
    assert delivered.exists()
    again(world)
    assert (world.state(), litter(world)) == ("archived", [])


@pytest.mark.parametrize("after", ["archive", "delete"])
def test_a_kill_while_the_original_is_aside_costs_nothing(world: World, delivered: Path, disks: Disks, after: str) -> None:
    settled_under(world, after)
    disks.after["rename_new"] = die
    killed(world)
    assert not delivered.exists()
    world.look()
    assert world.state() == "archiving", "it is only being put away"
    again(world)
    assert (world.state(), litter(world)) == ({"archive": "archived", "delete": "deleted"}[after], [])


def test_a_kill_after_the_original_was_put_away_costs_nothing(world: World, delivered: Path, disks: Disks) -> None:
    disks.after["rename_new"] = lambda: disks.after.update(rename_new=die)
    killed(world)
    again(world)
    assert world.state() == "archived"
    assert world.files("archive") == [f"{ORDER}/clip.mp4"]


def test_a_kill_after_the_original_was_deleted_costs_nothing(world: World, delivered: Path, disks: Disks) -> None:
    settled_under(world, "delete")
    disks.after["remove"] = die
    killed(world)
    assert isinstance(again(world), Later), "it may only have been moved: a look at the inbox tells"
    world.look()
    world.step("archive")
    assert world.state() == "deleted"


def test_a_new_file_in_the_place_of_one_that_is_just_put_away_is_a_drop_of_its_own_and_nothing_is_lost(
    world: World, delivered: Path, disks: Disks, video: Callable[..., bytes]
) -> None:
    """Killed while the original was aside; before the next try a person puts another file in its place."""
    data = delivered.read_bytes()
    disks.after["rename_new"] = die
    killed(world)
    delivered.write_bytes(video(9))
    world.look()
    assert [row["state"] for row in world.rows("SELECT state FROM drops ORDER BY id")] == ["archiving", "waiting"]
    again(world)
    assert delivered.exists()
    assert (world.root / "archive" / ORDER / "clip.mp4").read_bytes() == data
    assert world.rows("SELECT state FROM drops WHERE id = 1") == [{"state": "archived"}]


def test_a_failed_original_that_was_aside_lies_beside_its_reason_though_another_took_its_place(
    world: World, refused: Path, disks: Disks, video: Callable[..., bytes]
) -> None:
    disks.after["rename_new"] = die
    killed(world)
    refused.write_bytes(video(9))
    world.intake = world.new_intake()
    world.look()
    again(world)
    assert world.files("failed") == [f"{ORDER}/clip.mp4", f"{ORDER}/clip.mp4.why.txt"]
    assert world.rows("SELECT state, detached FROM drops WHERE id = 1") == [{"state": "failed", "detached": 0}]


def test_what_was_aside_comes_back_where_the_setting_became_keep(world: World, delivered: Path, disks: Disks) -> None:
    data = delivered.read_bytes()
    disks.after["rename_new"] = die
    killed(world)
    settled_under(world, "keep")
    again(world)
    assert delivered.read_bytes() == data
    assert (world.state(), litter(world)) == ("kept", [])


def test_what_was_aside_is_not_lost_where_its_folder_is_renamed_meanwhile(world: World, delivered: Path, disks: Disks) -> None:
    data = delivered.read_bytes()
    disks.after["rename_new"] = die
    killed(world)
    delivered.parent.rename(world.inbox / "dub en to es (new)")
    world.look()
    again(world)
    assert litter(world) == []
    assert data in [path.read_bytes() for path in world.root.rglob("*.mp4") if "outbox" not in path.parts]


def test_an_original_whose_folder_is_renamed_while_it_is_put_away_is_followed(world: World, delivered: Path, disks: Disks) -> None:
    same_filesystem = disks.same_filesystem

    def renamed(one: bytes, other: bytes) -> bool:
        same = same_filesystem(one, other)
        if delivered.parent.exists() and not delivered.exists():  # it is aside by now
            delivered.parent.rename(world.inbox / "erase")
        return same

    disks.same_filesystem = renamed  # type: ignore[method-assign]
    assert isinstance(world.step("archive"), Later)
    world.look()
    world.later(world.rules.rescan_seconds)
    world.steps("archive")
    assert (world.state(), world.files("archive")) == ("archived", [f"erase/{delivered.name}"])
    assert world.files("inbox") == []


@pytest.mark.parametrize("in_hand", [True, False])
def test_a_hard_link_that_comes_while_an_original_is_aside_is_a_file_of_its_own(
    world: World, delivered: Path, disks: Disks, in_hand: bool
) -> None:
    disks.after["rename_new"] = die
    killed(world)
    (aside,) = delivered.parent.iterdir()
    link = delivered.parent / "part 1" / "link.mp4"
    link.parent.mkdir()
    os.link(aside, link)
    if not in_hand:
        world.act(lambda tx: tx.work.rescue("node", world.clock.now(), 3600.0))
    world.look()
    again(world)
    world.look()
    assert link.exists()
    assert [row["state"] for row in world.rows("SELECT state FROM drops ORDER BY id")] == ["archived", "waiting"]


def test_an_original_left_aside_by_a_drop_that_is_at_rest_gets_its_name_back(world: World, delivered: Path) -> None:
    world.step("archive")
    away = world.root / "archive" / ORDER / "clip.mp4"
    aside = world.inbox / ORDER / ".qavix-aside-1"
    away.rename(aside)
    delivered.write_bytes(b"another file has its name")
    world.look()
    assert not aside.exists()
    assert delivered.with_name("clip (2).mp4").exists()


@pytest.mark.parametrize("name", [".qavix-aside-", ".qavix-aside-x", ".qavix-aside-99"])
def test_private_names_that_mean_nothing_to_this_state_are_left_alone(world: World, name: str) -> None:
    path = world.drop(ORDER, name, b"somebody's")
    world.look()
    assert path.exists()


def test_an_original_aside_that_went_away_since_it_was_seen_is_nobodys_trouble(world: World, delivered: Path) -> None:
    world.step("archive")

    class Fleeting(Disk):
        def rename_new(self, source: bytes, target: bytes) -> None:
            os.unlink(source)
            super().rename_new(source, target)

    (world.inbox / ORDER / ".qavix-aside-1").write_bytes(b"x")
    world.with_ports(files=Fleeting())
    world.look()
    assert world.files("inbox") == []


def test_one_that_cannot_get_its_name_back_is_tried_at_each_look_and_ends_nothing(world: World, delivered: Path) -> None:
    """A backup was restored into the inbox, say, by somebody whose folders are not ours to write to."""
    world.step("archive")

    class ReadOnly(Disk):
        def rename_new(self, source: bytes, target: bytes) -> None:
            raise FileUnreadable(f"{source!r} cannot be renamed")

    aside = world.inbox / ORDER / ".qavix-aside-1"
    aside.write_bytes(b"x")
    world.with_ports(files=ReadOnly())
    world.look()
    assert aside.exists()
    world.with_ports(files=Disk())
    world.look()
    assert not aside.exists()


# Another filesystem

def test_to_another_filesystem_an_original_is_copied_compared_and_only_then_removed(world: World, delivered: Path) -> None:
    data, times = delivered.read_bytes(), delivered.stat().st_mtime_ns
    with mounted(world.root / "archive"):
        world.step("archive")
        there = world.root / "archive" / ORDER / "clip.mp4"
        assert (there.read_bytes(), there.stat().st_mtime_ns) == (data, times)
        assert (world.state(), litter(world), delivered.exists()) == ("archived", [], False)


@pytest.mark.parametrize(("when", "act"), [("before", "copy"), ("after", "copy"), ("before", "remove"), ("after", "remove")])
def test_a_kill_during_a_copy_leaves_one_whole_original_and_no_litter(
    world: World, delivered: Path, disks: Disks, when: str, act: str
) -> None:
    data = delivered.read_bytes()
    with mounted(world.root / "archive"):
        getattr(disks, when)[act] = die
        killed(world)
        again(world)
        sweep(world)
        assert (world.root / "archive" / ORDER / "clip.mp4").read_bytes() == data
        assert (world.state(), litter(world), world.files("archive")) == ("archived", [], [f"{ORDER}/clip.mp4"])


def test_an_archive_without_room_pulls_its_brake_and_the_original_stays_in_sight(world: World, delivered: Path) -> None:
    with mounted(world.root / "archive", "4k"):
        said = world.step("archive")
        assert isinstance(said, Brake)
        assert (said.name, said.scope) == ("disk", "archive")
        assert delivered.exists(), "while archiving waits for room, people see their file where they put it"
        assert world.state() == "archiving"
    again(world)
    assert (world.state(), litter(world)) == ("archived", [])


def test_a_copy_that_is_not_what_was_read_is_not_put_away(world: World, delivered: Path, disks: Disks) -> None:
    """Somebody writes into the file while it is copied, keeping its times."""
    with mounted(world.root / "archive"):
        stat = delivered.stat()

        def spoil() -> None:
            aside = delivered.with_name(".qavix-aside-1")
            aside.write_bytes(b"Y" * stat.st_size)
            os.utime(aside, ns=(stat.st_atime_ns, stat.st_mtime_ns))

        disks.before["copy"] = spoil
        assert isinstance(world.step("archive"), Later)
        assert (delivered.read_bytes()[:1], world.files("archive")) == (b"Y", [])


@pytest.mark.parametrize("same", [True, False])
def test_a_name_that_is_taken_while_the_copy_is_made_is_not_replaced(world: World, delivered: Path, disks: Disks, *, same: bool) -> None:
    data = delivered.read_bytes()
    other = data if same else b"a person was faster"
    with mounted(world.root / "archive"):
        there = world.root / "archive" / ORDER / "clip.mp4"
        disks.after["copy"] = lambda: there.write_bytes(other) and None
        world.step("archive")
        assert there.read_bytes() == other
        assert world.files("archive") == ([f"{ORDER}/clip.mp4"] if same else [f"{ORDER}/clip (2).mp4", f"{ORDER}/clip.mp4"])
        assert litter(world) == []


def test_a_name_that_the_archive_refuses_is_escaped(world: World, video: Callable[..., bytes]) -> None:
    class Refusing(Disks):
        def rename_new(self, source: bytes, target: bytes) -> None:
            if b":" in target.rsplit(b"/", 1)[1] and b"/archive/" in target:
                raise NameRefused("no colons here")
            super().rename_new(source, target)

    world.drop(ORDER, "clip: one.mp4", video())
    world.notice()
    world.through("archive")
    world.with_ports(files=Refusing())
    world.step("archive")
    assert world.files("archive") == [f"{ORDER}/clip%3A one.mp4"]


# Failures

def test_a_failed_original_lies_beside_the_reason(world: World, refused: Path) -> None:
    world.step("archive")
    assert world.files("failed") == [f"{ORDER}/clip.mp4", f"{ORDER}/clip.mp4.why.txt"]
    why = (world.root / "failed" / ORDER / "clip.mp4.why.txt").read_text()
    assert "this is not a video" in why
    assert "nothing was paid" in why
    assert world.state() == "failed"


@pytest.mark.parametrize("trouble", [Later(1.0, "busy"), Retry("it is away"), Brake("disk", "full", "make room", "failed", 1.0)])
def test_why_it_failed_is_still_told_when_putting_it_away_took_several_tries(world: World, refused: Path, trouble: Outcome) -> None:
    why = world.one("SELECT reason FROM drops")
    piece = world.claim("archive")
    assert piece is not None
    world.record(piece, trouble)
    assert world.one("SELECT reason FROM drops") == why


def put_into_failed(world: World) -> None:
    """What was dropped is refused when its job is made ready, and put away."""
    world.notice()
    world.steps("settle", "fingerprint", "order")
    piece = world.claim("prepare")
    assert piece is not None
    world.record(piece, Fail("it is refused"))
    world.steps("archive")


@pytest.mark.parametrize("frozen", ["before it looked", "after it looked"])
def test_a_frozen_host_takes_back_only_the_reason_that_it_meant(
    world: World, disks: Disks, video: Callable[..., bytes], frozen: str
) -> None:
    """When it wakes, the file that was dragged back has failed again, and the text that lies there is another."""
    path = world.drop(ORDER, "clip.mp4", video())
    failed, why = world.root / "failed" / ORDER / "clip.mp4", world.root / "failed" / ORDER / "clip.mp4.why.txt"

    def fail_again() -> None:
        why.write_text(why.read_text().replace("drop-1", "drop-2"))

    put_into_failed(world)
    assert "retry drop-1" in why.read_text()
    failed.rename(path)
    world.notice()
    world.steps("settle", "fingerprint")
    if frozen == "before it looked":
        fail_again()
    else:
        disks.before["rename_new"] = fail_again
    world.step("order")
    assert "retry drop-2" in why.read_text()
    assert world.files("failed") == [f"{ORDER}/clip.mp4.why.txt"]


@pytest.mark.parametrize("dragged", [True, False])
def test_a_frozen_host_tells_nothing_that_is_not_so_any_more(
    world: World, refused: Path, disks: Disks, *, dragged: bool
) -> None:
    """It wakes with the text in hand; another host has ended the work meanwhile, and a person may have dragged the file back."""
    failed = world.root / "failed" / ORDER / "clip.mp4"

    def meanwhile() -> None:
        world.act(lambda tx: tx.work._connection.execute(
            "UPDATE drops SET fence = fence + 1, owner = NULL, state = 'failed', reason = 'tried again, it failed for something else'"
        ))
        if dragged:
            failed.rename(refused)

    disks.at_third_name(meanwhile)
    with pytest.raises(Fenced):
        world.step("archive")
    assert world.files("failed") == ([] if dragged else [f"{ORDER}/clip.mp4", f"{ORDER}/clip.mp4.why.txt"])
    assert dragged or "for something else" in failed.with_name("clip.mp4.why.txt").read_text()
    assert litter(world) == []


@pytest.mark.parametrize("errors", [1, 2])
def test_a_reason_goes_with_its_original_though_the_disk_gives_an_error(
    world: World, disks: Disks, video: Callable[..., bytes], errors: int
) -> None:
    path = world.drop(ORDER, "clip.mp4", video())
    put_into_failed(world)
    (world.root / "failed" / ORDER / "clip.mp4").rename(path)
    read, failed = disks.read, []

    def broken(path: bytes, limit: int) -> bytes:
        if b".why" in path and len(failed) < errors:
            failed.append(path)
            raise FileUnreadable("Input/output error")
        return read(path, limit)

    disks.read = broken  # type: ignore[method-assign]
    world.notice()
    world.steps("settle", "fingerprint", "order")
    assert (len(failed), world.files("failed"), litter(world)) == (errors, [], [])


def test_a_reason_is_not_written_over_a_text_of_a_person_and_goes_without_it(world: World, refused: Path) -> None:
    theirs = world.root / "failed" / ORDER / "clip.mp4.why.txt"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("ask Ann why")
    world.step("archive")
    assert world.files("failed") == [f"{ORDER}/clip.mp4", f"{ORDER}/clip.mp4 (2).why.txt", f"{ORDER}/clip.mp4.why.txt"]
    remove_why(world.ports, bytes(theirs.parent / "clip.mp4"))
    assert world.files("failed") == [f"{ORDER}/clip.mp4", f"{ORDER}/clip.mp4.why.txt"]
    assert theirs.read_text() == "ask Ann why"


def test_a_reason_that_was_being_written_at_a_kill_is_swept_though_its_original_is_gone(world: World, refused: Path, disks: Disks) -> None:
    disks.after["rename_new"] = lambda: disks.after.update(rename_new=lambda: disks.before.update(rename_new=die))
    killed(world)
    assert litter(world) != []
    (world.root / "failed" / ORDER / "clip.mp4").unlink()
    again(world)
    sweep(world)
    assert (world.state(), litter(world)) == ("failed", [])
    assert world.rows("SELECT path FROM private_names") == []


def test_the_state_forgets_a_private_name_only_once_no_power_cut_brings_it_back(world: World, refused: Path, disks: Disks) -> None:
    disks.after["rename_new"] = lambda: disks.after.update(rename_new=lambda: disks.before.update(rename_new=die))
    killed(world)
    durably: list[bool] = []
    remove = disks.remove

    def noted(path: bytes, *, durable: bool = False) -> None:
        durably.append(durable)
        remove(path, durable=durable)

    disks.remove = noted  # type: ignore[method-assign]
    world.act(lambda tx: tx.work.rescue("node", world.clock.now(), 3600.0))
    sweep(world)
    assert (durably, litter(world)) == ([True], [])


def test_a_kill_before_the_reason_was_written_costs_nothing(world: World, refused: Path, disks: Disks) -> None:
    disks.after["rename_new"] = lambda: disks.after.update(rename_new=die)
    killed(world)
    again(world)
    assert world.files("failed") == [f"{ORDER}/clip.mp4", f"{ORDER}/clip.mp4.why.txt"]
    assert world.state() == "failed"


def test_a_reason_does_not_outlive_an_original_that_was_dragged_out_while_no_service_ran(world: World, refused: Path, disks: Disks) -> None:
    disks.after["rename_new"] = lambda: disks.after.update(rename_new=lambda: disks.after.update(rename_new=die))
    killed(world)
    assert world.files("failed") == [f"{ORDER}/clip.mp4", f"{ORDER}/clip.mp4.why.txt"]
    (world.root / "failed" / ORDER / "clip.mp4").rename(refused.with_name("again.mp4"))
    again(world)
    assert world.files("failed") == []
    assert world.state() == "failed"


def test_where_originals_are_kept_the_reason_lies_in_the_inbox(world: World, refused: Path) -> None:
    settled_under(world, "keep")
    world.step("archive")
    assert world.files("inbox") == [f"{ORDER}/clip.mp4", f"{ORDER}/clip.mp4.why.txt"]
    world.look()
    assert [row["state"] for row in world.rows("SELECT state FROM drops")] == ["failed"]


def test_a_failed_original_that_was_taken_away_with_its_folder_is_at_rest(world: World, refused: Path) -> None:
    settled_under(world, "keep")
    refused.unlink()
    refused.parent.rmdir()
    world.step("archive")
    assert world.state() == "failed"


def test_a_failed_original_dragged_back_is_tried_again_though_nothing_of_it_differs(world: World, refused: Path) -> None:
    world.step("archive")
    world.look()
    (world.root / "failed" / ORDER / "clip.mp4").rename(refused)
    world.look()
    assert [row["state"] for row in world.rows("SELECT state FROM drops ORDER BY id")] == ["failed", "waiting"]


def test_a_failed_original_dragged_back_while_no_service_ran_is_tried_again(world: World, refused: Path) -> None:
    world.step("archive")
    (world.root / "failed" / ORDER / "clip.mp4").rename(refused)
    world.intake = world.new_intake()
    world.look()
    assert [row["state"] for row in world.rows("SELECT state FROM drops ORDER BY id")] == ["failed", "waiting"]
