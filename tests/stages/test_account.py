"""What the account allows is asked for at a start, and now and then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qavix_watch.core.outcomes import Brake, Later
from qavix_watch.stages.account import EVERY_SECONDS

if TYPE_CHECKING:
    from tests.support.world import World


def test_the_balance_is_asked_for_again_after_a_while(world: World) -> None:
    world.act(lambda tx: tx.house.duty("account", 0.0))
    assert world.step("account") == Later(EVERY_SECONDS)


def test_a_key_that_is_not_good_shows_before_there_is_work(world: World) -> None:
    world.act(lambda tx: tx.house.duty("account", 0.0))
    world.client.set_key(None)
    said = world.step("account")
    assert isinstance(said, Brake)
    assert said.name == "auth"
