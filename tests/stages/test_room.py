"""Originals that have to be copied to another filesystem, and the room that they find there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.core.files import Space
from qavix_watch.core.outcomes import Brake
from qavix_watch.errors import NoSpace
from qavix_watch.fs.disk import Disk

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.world import World

ORDER = "dub en to es"


class Elsewhere(Disk):
    """The real disk, as if the archive lay on another one."""

    free: int | None = 1 << 40
    inodes: int | None = None
    full = False

    def same_filesystem(self, one: bytes, other: bytes) -> bool:
        return False

    def space(self, path: bytes) -> Space:
        return Space(self.free or 0, self.inodes, "another")

    def copy(self, source: bytes, temporary: bytes, meter: Any) -> str:
        if self.full:
            with open(os.fsdecode(temporary), "wb") as file:
                file.write(b"half of it")
            raise NoSpace("no room is left")
        return super().copy(source, temporary, meter)


@pytest.fixture
def elsewhere(world: World, video: Callable[..., bytes]) -> Elsewhere:
    world.drop(ORDER, "clip.mp4", video())
    world.notice()
    world.through("archive")
    disk = Elsewhere()
    world.with_ports(files=disk)
    return disk


@pytest.mark.parametrize(("free", "inodes"), [(10, None), (1 << 40, 0)])
def test_nothing_is_touched_where_there_is_no_room_for_a_copy(world: World, elsewhere: Elsewhere, free: int, inodes: int | None) -> None:
    elsewhere.free, elsewhere.inodes = free, inodes
    said = world.step("archive")
    assert isinstance(said, Brake)
    size = (world.inbox / ORDER / "clip.mp4").stat().st_size
    assert (said.name, said.scope, said.level) == ("disk", "archive", size)
    elsewhere.free, elsewhere.inodes = 1 << 40, None
    world.steps("archive")
    assert world.state() == "archived"


def test_a_copy_that_finds_no_room_on_its_way_leaves_nothing_behind(world: World, elsewhere: Elsewhere) -> None:
    elsewhere.full = True
    said = world.step("archive")
    assert isinstance(said, Brake)
    assert (said.name, said.scope) == ("disk", "archive")
    assert world.files("archive") == []
    assert (world.inbox / ORDER / "clip.mp4").exists()
    elsewhere.full = False
    world.steps("archive")
    assert world.files("archive") == [f"{ORDER}/clip.mp4"]
