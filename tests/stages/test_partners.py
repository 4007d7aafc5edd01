"""A second input of the video's own stem goes where the video goes, if it still is the one that was used."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from qavix_watch.core.outcomes import Done, Later
from qavix_watch.errors import Fenced, FileUnreadable, NoSpace
from qavix_watch.fs.disk import Disk
from tests.support.archiving import again, die, killed, litter, mounted, settled_under, sweep

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qavix_watch.core.files import Stat
    from tests.support.archiving import Disks
    from tests.support.world import World


@pytest.fixture
def pair(world: World, video: Callable[..., bytes], picture: bytes) -> tuple[Path, Path]:
    """A face swap that is delivered: its video and its picture."""
    partner = world.drop("face swap", "clip.jpg", picture)
    film = world.drop("face swap", "clip.mp4", video())
    world.notice()
    world.through("archive")
    assert world.state() == "archiving"
    return film, partner


def test_a_partner_of_the_same_stem_follows_its_video(world: World, pair: tuple[Path, Path]) -> None:
    world.step("archive")
    assert world.files("archive") == ["face swap/clip.jpg", "face swap/clip.mp4"]
    assert world.files("inbox") == []


def test_a_partner_is_deleted_with_its_video(world: World, pair: tuple[Path, Path]) -> None:
    settled_under(world, "delete")
    world.step("archive")
    assert (world.files("archive"), world.files("inbox")) == ([], [])


def test_a_partner_that_was_replaced_stays(world: World, pair: tuple[Path, Path]) -> None:
    pair[1].write_bytes(b"another picture")
    world.step("archive")
    assert world.files("archive") == ["face swap/clip.mp4"]
    assert pair[1].exists()


def test_a_partner_of_other_bytes_with_the_same_times_is_not_deleted(world: World, pair: tuple[Path, Path]) -> None:
    there = pair[1].stat()
    pair[1].write_bytes(b"x" * there.st_size)
    os.utime(pair[1], ns=(there.st_atime_ns, there.st_mtime_ns))
    settled_under(world, "delete")
    world.step("archive")
    assert world.files("inbox") == ["face swap/clip.jpg"]


def test_a_partner_that_another_drop_still_needs_stays(world: World, pair: tuple[Path, Path]) -> None:
    world.act(lambda tx: tx.drops.add(
        "place", b"face swap/clip.mov", Disk().stat(os.fsencode(pair[0])),
        {"folder": b"face swap", "order_json": "", "canonical": "face swap", "task": "face_swap", "priority": 0}, 0.0, 0.0, 0.0,
    ))
    world.act(lambda tx: tx.work._connection.execute("UPDATE drops SET partner = ? WHERE id = 2", (b"face swap/clip.jpg",)))
    world.step("archive")
    assert pair[1].exists()


def test_a_shared_partner_never_moves(world: World, video: Callable[..., bytes], picture: bytes) -> None:
    world.drop("face swap", "face.jpg", picture)
    world.drop("face swap", "clip.mp4", video())
    world.notice()
    world.through()
    assert world.files("archive") == ["face swap/clip.mp4"]
    assert world.files("inbox") == ["face swap/face.jpg"]


def test_a_partner_follows_its_video_to_another_filesystem(world: World, pair: tuple[Path, Path]) -> None:
    with mounted(world.root / "archive"):
        world.step("archive")
        assert world.files("archive") == ["face swap/clip.jpg", "face swap/clip.mp4"]
        assert (world.files("inbox"), litter(world)) == ([], [])


def test_where_originals_are_deleted_one_that_was_moved_away_is_not_taken_for_deleted_nor_its_partner_removed(
    world: World, pair: tuple[Path, Path]
) -> None:
    film, partner = pair
    settled_under(world, "delete")
    film.rename(world.base / "mine.mp4")
    assert isinstance(world.step("archive"), Later)
    world.later(100)
    assert isinstance(world.step("archive"), Done)
    assert (world.state(), partner.exists()) == ("kept", True)


# It goes to a private name first

ASIDE = ".qavix-aside-1p"


def test_what_was_put_in_its_place_at_the_last_moment_stays_there(world: World, pair: tuple[Path, Path], disks: Disks) -> None:
    newer = pair[1].with_name("newer.tmp")
    newer.write_bytes(b"another picture")
    disks.at_third_name(lambda: os.replace(newer, pair[1]))
    world.step("archive")
    assert (world.files("archive"), pair[1].read_bytes()) == (["face swap/clip.mp4"], b"another picture")
    assert (world.state(), litter(world)) == ("archived", [])


def test_one_that_is_taken_away_at_the_last_moment_is_gone(world: World, pair: tuple[Path, Path], disks: Disks) -> None:
    disks.at_third_name(pair[1].unlink)
    world.step("archive")
    assert (world.state(), world.files("archive"), world.files("inbox")) == ("archived", ["face swap/clip.mp4"], [])


def test_a_host_that_was_frozen_before_it_took_it_leaves_the_one_that_was_dragged_back(
    world: World, pair: tuple[Path, Path], disks: Disks
) -> None:
    """Another host has ended the work meanwhile, and a person has dragged both back: to the last bit what was worked on."""
    there = pair[1].read_bytes()
    disks.at_third_name(lambda: world.act(
        lambda tx: tx.work._connection.execute("UPDATE drops SET fence = fence + 1, owner = NULL, state = 'archived'")
    ))
    with pytest.raises(Fenced):
        world.step("archive")
    assert (world.files("archive"), pair[1].read_bytes()) == (["face swap/clip.mp4"], there)
    assert litter(world) == []


@pytest.mark.parametrize("after", ["archive", "delete"])
def test_a_kill_while_it_is_aside_costs_nothing(world: World, pair: tuple[Path, Path], disks: Disks, after: str) -> None:
    settled_under(world, after)
    if after == "archive":
        disks.at_third_name(die, when="after")
    else:
        disks.after["remove"] = lambda: disks.after.update(rename_new=die)
    killed(world)
    assert pair[1].with_name(ASIDE).exists()
    again(world)
    if after == "delete":
        world.look()
        world.step("archive")
    wanted = {"archive": ["face swap/clip.jpg", "face swap/clip.mp4"], "delete": []}
    assert (world.files("archive"), world.files("inbox"), litter(world)) == (wanted[after], [], [])


def test_it_gets_its_name_back_where_the_archive_takes_it_not(world: World, pair: tuple[Path, Path], disks: Disks) -> None:
    def refuse() -> None:
        raise NoSpace("no room")

    disks.at_third_name(lambda: disks.before.update(rename_new=refuse))
    world.step("archive")
    assert (world.state(), pair[1].exists(), litter(world)) == ("archiving", True, [])


def test_one_that_was_left_aside_gets_its_name_back_though_its_folder_is_renamed(
    world: World, pair: tuple[Path, Path], disks: Disks
) -> None:
    disks.at_third_name(die, when="after")
    killed(world)
    world.look()
    assert pair[1].with_name(ASIDE).exists(), "it is only being put away"
    renamed = pair[1].parent.rename(world.inbox / "face swap (mine)")
    world.look()
    assert (renamed / "clip.jpg").exists()
    assert litter(world) == []
    again(world)
    assert (world.state(), world.files("archive")) == ("archived", ["face swap/clip.mp4"])


def test_a_place_that_is_gone_for_good_keeps_no_video_from_its_end(world: World, pair: tuple[Path, Path], disks: Disks) -> None:
    """With `keep` nothing has to be done where the second input lies."""
    settled_under(world, "keep")
    stat = disks.stat

    def gone(path: bytes) -> Stat:
        if path.endswith(b"p"):
            raise FileUnreadable("the stick was pulled")
        return stat(path)

    disks.stat = gone  # type: ignore[method-assign]
    world.step("archive")
    assert world.state() == "kept"


def test_a_copy_that_a_second_try_has_left_is_swept(world: World, pair: tuple[Path, Path], disks: Disks) -> None:
    with mounted(world.root / "archive"):
        disks.after["copy"] = lambda: disks.after.update(copy=die)
        killed(world)
        world.act(lambda tx: tx.work.rescue("node", world.clock.now(), 3600.0))
        disks.after["copy"] = die
        killed(world)
        again(world)
        sweep(world)
        assert world.files("archive") == ["face swap/clip.jpg", "face swap/clip.mp4"]
        assert (world.files("inbox"), litter(world)) == ([], [])


def test_one_that_was_left_aside_by_a_drop_at_rest_gets_its_name_back(world: World, pair: tuple[Path, Path]) -> None:
    world.step("archive")
    (world.root / "archive" / "face swap" / "clip.jpg").rename(pair[1].with_name(ASIDE))
    world.look()
    assert (pair[1].exists(), litter(world)) == (True, [])
