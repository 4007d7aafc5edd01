"""What is seen of a file while people's programs bring it, and of what they leave when they die (PRODUCT §3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qavix_watch.core.files import Writer
from tests.simulation.test_disk_power import DATA, World, content
from tests.simulation.writers import CHUNK, WAYS, dav, explorer, finder, partial, plain, rsync

if TYPE_CHECKING:
    from collections.abc import Iterator


def looks(world: World, steps: Iterator[None], path: bytes) -> list[tuple[int, Writer, bool]]:
    """Size, writer and hole after each act of a person, where the file is there."""
    seen = []
    for _ in steps:
        world.time += 1
        if world.person.exists(path):
            seen.append((world.files.stat(path).size // CHUNK, world.files.writer(path), world.files.has_hole(path)))
    return seen


def test_explorer_shows_the_full_size_at_once_with_a_hole_until_the_last_chunk() -> None:
    world = World()
    assert looks(world, explorer(world.person, b"/in/a", DATA), b"/in/a") == [(4, Writer.OPEN, True)] * 4 + [(4, Writer.OPEN, False)]


def test_finder_closes_the_file_between_its_chunks() -> None:
    world = World()
    writers = [writer for _, writer, _ in looks(world, finder(world.person, b"/in/a", DATA), b"/in/a")]
    assert writers == [Writer.NONE, *[Writer.OPEN, Writer.NONE] * 4]
    assert world.hints.count((b"/in/a", "closed")) == 5


def test_rsync_is_there_at_once_and_whole_with_one_event() -> None:
    world = World()
    assert looks(world, rsync(world.person, b"/in/a", DATA), b"/in/a") == []
    assert content(world, b"/in/a") == DATA
    assert [kind for path, kind in world.hints if path == b"/in/a"] == ["appeared"]


def test_dav_renames_into_place_what_it_still_writes() -> None:
    world = World()
    assert looks(world, dav(world.person, b"/in/a", DATA), b"/in/a") == [(size, Writer.OPEN, False) for size in (2, 3, 4)]


@pytest.mark.parametrize(("way", "size", "hole"), [(plain, 2, False), (explorer, 4, True), (partial, 2, False)])
def test_a_client_that_died_leaves_a_closed_file_that_is_short_or_holed(way: object, size: int, hole: bool) -> None:
    world = World()
    looks(world, way(world.person, b"/in/a", DATA, dies_after=2), b"/in/a")  # type: ignore[operator]
    found = world.files.stat(b"/in/a")
    assert (found.size // CHUNK, world.files.writer(b"/in/a"), world.files.has_hole(b"/in/a")) == (size, Writer.NONE, hole)
    assert (found.mtime_ns == 0) is (way is partial)


@pytest.mark.parametrize("name", sorted(set(WAYS) - {"partial"}))
def test_whoever_finishes_leaves_the_whole_file_and_nothing_else(name: str) -> None:
    world = World()
    looks(world, WAYS[name](world.person, b"/in/a", DATA), b"/in/a")
    assert (world.files.listdir(b"/in"), content(world, b"/in/a"), world.files.writer(b"/in/a")) == ([b"a"], DATA, Writer.NONE)
