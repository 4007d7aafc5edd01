"""The inbox under rules that changed while it is watched."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.world import World


def paths(world: World) -> list[bytes]:
    return sorted(row.path for row in world.act(lambda tx: list(tx.drops.known("place"))))


def test_what_was_ignored_before_is_a_drop_at_the_next_look(worlds: Callable[..., World], video: Callable[..., bytes]) -> None:
    world = worlds(ignore=("*.skip.mp4",))
    world.drop("dub en to es", "one.skip.mp4", video())
    world.look()
    assert paths(world) == []
    world.intake.go_by(replace(world.rules, ignore=()))
    world.look()
    assert paths(world) == [b"dub en to es/one.skip.mp4"]
