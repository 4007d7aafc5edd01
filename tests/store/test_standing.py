"""How much is open, as the status line of the service says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qavix_watch.core.lifecycle import DropState

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.world import World


def test_what_is_open_is_counted_and_what_is_held_beside_it(world: World, video: Callable[..., bytes]) -> None:
    world.drop("dub en to es", "one.mp4", video())
    world.drop("dub en to fr", "two.mp4", video())
    world.look()

    def hold_one(tx: Any) -> None:
        now = world.clock.now()
        [claim] = tx.work.take("drop", (DropState.WAITING,), owner="node:1", now=now + 60, lease_seconds=60.0, limit=1)
        tx.work.keep(claim, {"held": "a person is asked"})

    world.act(hold_one)
    found = world.act(lambda tx: tx.house.standing())
    assert (found["files"], found["held"], found["uploading"], found["processing"]) == (2, 1, 0, 0)
