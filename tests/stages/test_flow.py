"""The whole flow, arrow by arrow, with real parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.world import World


def test_a_dropped_film_lies_dubbed_in_the_outbox_and_in_the_archive(world: World, video: Callable[..., bytes]) -> None:
    data = video()
    world.drop("dub en to es", "clip.mp4", data)
    world.notice()
    world.through()
    assert world.files() == ["dub en to es/clip.es.mp4"]
    assert world.files("archive") == ["dub en to es/clip.mp4"]
    assert (world.root / "archive/dub en to es/clip.mp4").read_bytes() == data
    assert world.state() == "archived"
